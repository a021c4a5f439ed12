"""A row of an image that is done says what is in doubt and what was not inspected."""

from pathlib import Path
from typing import Any

import pytest
from affine import Affine

from crackpipe.pipeline.image import BandLayout, FileStamp, SurveyImage
from crackpipe.pipeline.tables.messages import message_of

ALL = {"inspected_m2": 0.8, "uninspected_m2": 0.0, "too_wide_m2": 0.0}


def image(**facts: Any) -> SurveyImage:
    plain: dict[str, Any] = {"image_id": "a.tif", "survey": "s", "file": FileStamp(Path("a.tif"), 1, 1)}
    plain |= {"driver": "GTiff", "height_px": 4, "width_px": 5, "bands": 1, "dtype": "uint8"}
    plain |= {"layout": BandLayout((1, 1, 1)), "transform": Affine.scale(0.001), "crs_wkt": "", "gsd_mm": 1.0}
    plain |= {"ground": ((0.0, 0.001), (-0.001, 0.0)), "nodata": None, "mask": None, "acquired": None}
    return SurveyImage(**{**plain, "has_missing_blocks": False, **facts})


@pytest.mark.parametrize(
    ("facts", "figures", "message"),
    [
        ({}, {}, None),
        ({"nodata": 0.0}, {}, None),
        ({"warnings": ("it is blue",)}, {}, "it is blue"),
        ({"crs_warning": "it lies there roughly"}, {}, "it lies there roughly"),
        (
            {"warnings": ("it is blue",)},
            {"too_wide_m2": 0.25, "message": "it has a collar"},
            "it is blue; it has a collar; crack regions of 0.25 m2 are too wide to be lines and not counted",
        ),
    ],
)
def test_sentences(facts: dict[str, Any], figures: dict[str, Any], message: str | None) -> None:
    assert message_of(image(**facts), {**ALL, **figures}) == message

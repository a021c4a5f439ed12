"""One place for three images or more that show different ground."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from rasters.survey_files import write

from crackpipe.pipeline.config import Config
from crackpipe.pipeline.image import SurveyImage
from crackpipe.pipeline.survey.load import load_survey
from crackpipe.pipeline.survey.places.standstill import set_aside
from tests.pipeline.survey.places.test_plausible import image

FIRST, SECOND, THIRD = date(2025, 1, 1), date(2025, 1, 2), date(2025, 1, 3)


def stood_still(*days: date | None) -> list[SurveyImage]:
    """Images of different content at one place, named a, b, c and so on."""
    names = "abcdefgh"
    return [
        replace(image(name, (500_000, 5_400_000)), acquired=day)
        for name, day in zip(names, days, strict=False)
    ]


@pytest.mark.parametrize(
    ("days", "refused"),
    [
        ([FIRST] * 3, "abc"),
        ([None] * 4, "abcd"),
        ([FIRST, None, FIRST], "abc"),
        ([FIRST] * 2, ""),
        ([None] * 2, ""),
        ([FIRST, SECOND, THIRD], ""),
        ([FIRST, FIRST, SECOND, SECOND], ""),
        ([FIRST, SECOND, FIRST, FIRST], "acd"),
        ([FIRST, SECOND, None], ""),
        ([FIRST, SECOND, None, None], "abcd"),
    ],
)
def test_three_images_of_one_day_at_one_place_are_refused(days: list[date | None], refused: str) -> None:
    kept, rejected = set_aside(stood_still(*days))
    assert [each.image_id for each in rejected] == list(refused)
    assert [each.image_id for each in kept] == [
        name for name in "abcdefgh"[: len(days)] if name not in refused
    ]


def test_the_message_names_another_one_and_their_number() -> None:
    first, second, _ = set_aside(stood_still(FIRST, FIRST, FIRST))[1]
    assert first.reason == "place-repeated"
    said = "its place is exactly that of b and 1 more with other content: the position stood still"
    assert first.message == said
    assert second.message.startswith("its place is exactly that of a and 1 more")


@pytest.mark.parametrize("change", ["place", "size", "crs"])
def test_another_place_size_or_crs_is_no_standstill(change: str) -> None:
    a, b, c = stood_still(FIRST, FIRST, FIRST)
    changed = {
        "place": replace(c, transform=c.transform @ c.transform.translation(1, 0)),
        "size": replace(c, height_px=999),
        "crs": replace(c, crs_wkt=image("c", (0, 0), "EPSG:25833").crs_wkt),
    }
    images = [a, b, changed[change]]
    assert set_aside(images) == (images, [])


def test_remedies_work_and_duplicates_stay_duplicates(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    days = [tmp_path / f"day{number}" for number in range(3)]
    for folder in days:
        write(folder / "a.tif", rng.integers(100, 140, (3, 40, 60), dtype=np.uint8))
    write(days[0] / "copy.tif", rng.integers(100, 140, (3, 40, 60), dtype=np.uint8))
    (days[0] / "copy.tif").write_bytes((days[0] / "a.tif").read_bytes())
    reasons = {each.image_id: each.reason for each in load_survey(days, Config()).rejected}
    repeated = {f"day{number}/a.tif": "place-repeated" for number in range(3)}
    assert reasons == repeated | {"day0/copy.tif": "duplicate"}
    allowed = load_survey(days, Config(allow_place=True)).rejected
    assert [each.reason for each in allowed] == ["duplicate"]
    for number, folder in enumerate(days, start=1):
        (folder / "survey.toml").write_text(f"acquired = 2025-01-0{number}\n")
    assert [each.reason for each in load_survey(days, Config()).rejected] == ["duplicate"]

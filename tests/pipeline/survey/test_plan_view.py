"""The tags of plan views: what is written is what is read, and each other text is refused in a sentence."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.transform import from_origin

from crackpipe.pipeline import fingerprint
from crackpipe.pipeline.config import Config
from crackpipe.pipeline.errors import ImageRejectedError
from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.geometry.plan_view import COARSEST, PlanView, camera_px, inspected
from crackpipe.pipeline.image import SurveyImage
from crackpipe.pipeline.request import Request, make_job
from crackpipe.pipeline.survey.load import load_survey
from crackpipe.pipeline.survey.memory import Memory, keep, recall, stamp_of
from crackpipe.pipeline.survey.plan_view import HOMOGRAPHY_TAG, SIZES_TAG, plan_view_of, tags_of


@dataclass
class Tags:
    """An open image of which only tags are known."""

    tags: dict[str, str]
    height: int = 120
    width: int = 180

    @property
    def shape(self) -> tuple[int, int]:
        return self.height, self.width

    def get_tag_item(self, name: str) -> str | None:
        return self.tags.get(name)


VIEW = PlanView(
    (1 / 350, -2 / 350, 1.0, 0, -0.5 / 350, 0.6, 0, -0.01 / 350, 2.2 / 350), (300, 400), (120, 180)
)


def image(path: Path, tags: dict[str, str], *, x: float = 500_100.0) -> Path:
    profile = {
        "driver": "GTiff", "height": 120, "width": 180, "count": 1, "dtype": "uint8", "crs": "EPSG:25832",
        "transform": from_origin(x, 5_400_000, 0.001, 0.001),
    }  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(path, "w", **profile) as target:
        target.write(np.random.default_rng(int(x)).integers(100, 130, (1, 120, 180), np.uint8))
        target.update_tags(**tags)
    return path


def read(path: Path) -> PlanView | None:
    with rasterio.open(path) as dataset:
        return plan_view_of(dataset)


def loaded(survey: Path) -> SurveyImage:
    found = load_survey([survey], Config())
    assert not found.rejected
    return found.images[0]


def test_what_is_written_is_read(tmp_path: Path) -> None:
    assert read(image(tmp_path / "a.tif", tags_of(VIEW))) == VIEW


def test_a_factor_has_no_meaning(tmp_path: Path) -> None:
    larger = PlanView(tuple(350 * number for number in VIEW.homography), VIEW.frame_px, VIEW.size_px)
    found = read(image(tmp_path / "a.tif", tags_of(larger)))
    assert found is not None
    assert found.homography == pytest.approx(VIEW.homography, rel=1e-15)


@pytest.mark.parametrize("tags", [{}, {HOMOGRAPHY_TAG: ""}, {HOMOGRAPHY_TAG: " "}, {SIZES_TAG: "1 2 3 4"}])
def test_without_numbers_it_is_no_plan_view(tmp_path: Path, tags: dict[str, str]) -> None:
    assert read(image(tmp_path / "a.tif", tags)) is None


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({HOMOGRAPHY_TAG: "0 0 0 0 0 0 0 0 0"}, "nothing but zeros"),
        ({HOMOGRAPHY_TAG: "nan 0 0 0 1 0 0 0 1"}, "finite"),
        ({HOMOGRAPHY_TAG: "one 0 0 0 1 0 0 0 1"}, "finite"),
        ({HOMOGRAPHY_TAG: "1e308 0 0 0 -1e308 0 0 0 1e-308"}, "a line"),
        ({HOMOGRAPHY_TAG: "1 0 -5000 0 1 0 0 0 1"}, "no part was seen"),
        ({SIZES_TAG: ""}, "0 numbers and not four"),
        ({SIZES_TAG: "300 400 120 181"}, "cut or resampled"),
        ({SIZES_TAG: "300.5 400 120 180"}, "whole numbers"),
        ({SIZES_TAG: "-300 400 120 180"}, "whole numbers"),
        ({SIZES_TAG: "1e300 400 120 180"}, "whole numbers"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, changed: dict[str, str], said: str) -> None:
    path = image(tmp_path / "a.tif", tags_of(VIEW) | changed)
    with pytest.raises(ImageRejectedError, match=said) as refused:
        read(path)
    assert refused.value.reason == "plan-view-unusable"


@settings(max_examples=300, deadline=None)
@given(
    numbers=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=9, max_size=9),
    near=st.integers(0, 2**9 - 1),
    sides=st.tuples(st.integers(2, 1_000_000), st.integers(2, 1_000_000)),
)
def test_any_numbers_are_refused_or_give_sane_widths(
    numbers: list[float], near: int, sides: tuple[int, int]
) -> None:
    # some numbers as they should be, so that not all are refused
    mixed = [
        good if near >> place & 1 else bad
        for place, (good, bad) in enumerate(zip(VIEW.homography, numbers, strict=True))
    ]
    dataset = Tags(tags_of(PlanView(tuple(mixed), sides, (120, 180))))
    try:
        view = plan_view_of(dataset)  # type: ignore[arg-type]
    except ImageRejectedError:
        return
    assert view is not None
    points = np.random.default_rng(0).uniform((0, 0), (120, 180), (50, 2))
    found = camera_px(view, points, np.tile([0.6, 0.8], (50, 1)))
    assert ((found >= 0) & (found <= COARSEST)).all()
    assert inspected(view, Window(0, 0, 120, 180)).any()


def test_a_tag_that_is_not_text_is_refused(tmp_path: Path) -> None:
    path = image(tmp_path / "a.tif", tags_of(VIEW))
    content = path.read_bytes()
    numbers = tags_of(VIEW)[HOMOGRAPHY_TAG].encode()
    assert content.count(numbers) == 1
    path.write_bytes(content.replace(numbers, b"\xff" * len(numbers)))
    with pytest.raises(ImageRejectedError, match="is not UTF-8"):
        read(path)


def test_an_image_is_done_again_where_its_view_changes(tmp_path: Path) -> None:
    other = PlanView((*VIEW.homography[:8], VIEW.homography[8] * 1.001), VIEW.frame_px, VIEW.size_px)
    job, prints = make_job(Request((tmp_path,), tmp_path / "out", Config(device="cpu"))), []
    for number, tags in enumerate((tags_of(VIEW), tags_of(other), {})):
        image(tmp_path / str(number) / "a.tif", tags)
        prints.append(fingerprint.of_image(loaded(tmp_path / str(number)), job))
    assert prints[0]["homography"] != prints[1]["homography"]
    assert "homography" not in prints[2]
    marker = {"fingerprint": prints[0] | {"file time": prints[1]["file time"]}}
    assert "homography changed" in fingerprint.reasons_to_run(marker, prints[1], {})


def test_a_memory_keeps_the_view(tmp_path: Path) -> None:
    from crackpipe.pipeline.survey.files.candidates import Candidate
    from crackpipe.pipeline.survey.sidecars.names import names_in

    path = image(tmp_path / "survey" / "a.tif", tags_of(VIEW))
    found = loaded(tmp_path / "survey")
    candidate = Candidate("a.tif", "survey", path, path.parent)
    stamp = stamp_of(candidate, names_in([path.parent])[path.parent])
    assert stamp is not None
    keep(tmp_path / "survey.json", Config(), [found], {"a.tif": stamp}, Memory())
    assert recall(tmp_path / "survey.json", Config()).image(candidate, stamp) == found
    assert found.view == VIEW

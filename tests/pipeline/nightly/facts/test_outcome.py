"""One exit code for several surveys, and what a result holds."""

from pathlib import Path

import pytest

from crackpipe.pipeline.nightly.facts.outcome import figures_of, worst_of


@pytest.mark.parametrize(
    ("codes", "worst"),
    [
        ([], 0),
        ([0, 0], 0),
        ([0, 3], 3),
        ([3, 66], 66),
        ([66, 78, 69], 69),
        ([74, 73, 71], 73),
        ([70, 73], 70),
        ([75, 75], 75),
        ([75, 0], 0),
        ([75, 3], 3),
    ],
)
def test_the_worst_code_is_the_nights(codes: list[int], worst: int) -> None:
    assert worst_of(codes) == worst


def test_figures_of_a_result(finished: Path) -> None:
    figures = figures_of(finished)
    assert figures is not None
    assert figures.images_done == 3
    assert [row["image_id"] for row in figures.quarantined] == ["empty.tif", "no-crs.tif", "notes.png"]
    assert figures.road_km == pytest.approx((760 + 420 + 1500) / 1e6, rel=1e-3)  # long sides, 1 mm/px
    assert figures.inspected_m2 == pytest.approx(1.152, rel=2e-3)
    assert figures_of(finished / "nowhere") is None

"""Where a line is cut, and what its rows say."""

from itertools import pairwise

import numpy as np
import pytest

from crackpipe.pipeline.geometry.polyline import cut_line
from crackpipe.pipeline.width.row_width import UNMEASURED
from crackpipe.pipeline.width.stretches import (
    Limits,
    class_probabilities,
    class_runs,
    classes_of,
    stretches_of,
)
from crackpipe.pipeline.width.widths import Widths
from crackpipe.pipeline.width.windows import Windows, paths_of, windows_of

MM_PER_PX = np.array([[0.0, 1e-3], [-1e-3, 0.0]])
"""Ground matrix of a north-up image of 1 mm per pixel."""
LIMITS = Limits(tiny_below_mm=1.0, small_below_mm=3.0, class_run_mm=100.0, certain_from=0.8, shape_sd=0.0)


def windows(length_px: float, *, lines: int = 1) -> Windows:
    """Windows of 50 px along straight lines to the right."""
    vertices = [np.array([[20.0 * k, 0.0], [20.0 * k, length_px]]) for k in range(lines)]
    return windows_of(paths_of(vertices, [1.0] * lines), 50.0)


def widths(width_px: list[float], noise: float = 0.1, shared: float = 0.2) -> Widths:
    width = np.array(width_px)
    same = np.ones(len(width))
    return Widths(
        width_px=width,
        noise_sd_px=noise * same,
        contrast_sd_px=shared * same,
        contrast=60 * same,
        flag=np.zeros(len(width), bool),
    )


def runs(text: str, least: float, length: float = 50.0) -> str:
    """Runs of windows drawn as text: t, s, w are classes, a dot is unknown."""
    classes = np.array([".tsw".index(letter) - 1 for letter in text])
    found = class_runs(np.full(len(text), length), classes, least)
    assert [run[0] for run in found] == [0, *[run[1] for run in found[:-1]]]
    return " ".join(text[first:stop] + ":" + ".tsw"[name + 1] for first, stop, name in found)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tttt", "tttt:t"),
        ("ttss", "tt:t ss:s"),
        ("tsss", "tsss:s"),  # 50 mm of tiny are too short
        ("ttstt", "ttstt:t"),
        ("ttsswwtt", "tt:t ss:s ww:w tt:t"),
        ("tttsww", "ttts:t ww:w"),
        ("tstst", "tstst:s"),
        ("t", "t:t"),
        ("tt..ss", "tt.:t .ss:s"),
        ("..", "..:."),
    ],
)
def test_cut_where_the_class_changes_for_long_enough_on_both_sides(text: str, expected: str) -> None:
    assert runs(text, 100.0) == expected


def test_every_run_is_long_enough_or_alone() -> None:
    rng = np.random.default_rng(1)
    for _ in range(50):
        text = "".join(rng.choice(list("tsw."), 30))
        lengths = [len(run.split(":")[0]) * 50 for run in runs(text, 150.0).split()]
        assert min(lengths) >= 150 or len(lengths) == 1


def test_classes_and_their_limits() -> None:
    assert classes_of([0.5, 1.0, 2.9, 3.0, np.nan], LIMITS).tolist() == [0, 1, 1, 2, -1]


def test_class_probabilities() -> None:
    found = class_probabilities([1.0, 2.0, np.nan], [0.2, 0.2, 0.1], tiny_below_mm=1.0, small_below_mm=3.0)
    assert found[0] == pytest.approx([0.5, 0.5, 0.0], abs=1e-6)
    # ln 2 / 0.1 = 6.9 and ln 1.5 / 0.1 = 4.05 standard deviations away from the limits
    assert found[1] == pytest.approx([0.0, 1.0, 0.0], abs=1e-4)
    assert np.isnan(found[2]).all()
    assert found[:2].sum(axis=1) == pytest.approx([1.0, 1.0])


def test_noise_averages_out_along_a_row_and_contrast_does_not() -> None:
    (stretches,) = stretches_of(windows(200.0), widths([2.0, 2.0, 2.0, 2.4]), MM_PER_PX, LIMITS)
    (stretch,) = stretches
    row = stretch.width
    assert (stretch.arc_start_px, stretch.arc_stop_px) == pytest.approx((0.0, 200.0))
    assert row.width_mm == pytest.approx(2.1)
    assert row.width_sigma_mm == pytest.approx(np.hypot(0.1 / np.sqrt(4), 0.2))
    assert (row.width_p95_mm, row.width_max_mm) == pytest.approx((2.4, 2.4))
    assert row.width_class == "small" and not row.class_uncertain and not row.width_flag


def test_rows_of_several_lines() -> None:
    found = stretches_of(
        windows(200.0, lines=2), widths([0.5, 0.5, 5.0, 5.0, 2.0, 2.0, np.nan, 2.0]), MM_PER_PX, LIMITS
    )
    classes = [[stretch.width.width_class for stretch in line] for line in found]
    assert classes == [["tiny", "wide"], ["small"]]
    assert found[0][0].arc_stop_px == found[0][1].arc_start_px == pytest.approx(100.0)
    assert found[1][0].width.width_mm == pytest.approx(2.0)


def test_widths_across_pixels_that_are_not_square() -> None:
    flat = np.array([[0.0, 1e-3], [-2e-3, 0.0]])  # rows are 2 mm apart, columns 1 mm
    ((stretch,),) = stretches_of(windows(50.0), widths([2.0]), flat, LIMITS)
    assert stretch.width.width_mm == pytest.approx(4.0)


def test_a_class_that_the_image_cannot_show_is_uncertain() -> None:
    for gsd_mm, width_px, expected in ((1.0, 0.5, False), (2.5, 0.1, True), (2.5, 4.0, False)):
        ((stretch,),) = stretches_of(
            windows(50.0), widths([width_px], 0.001, 0.0), MM_PER_PX * gsd_mm, LIMITS
        )
        assert stretch.width.class_uncertain is expected, gsd_mm


def test_a_line_without_any_width() -> None:
    ((stretch,),) = stretches_of(windows(100.0), widths([np.nan, np.nan]), MM_PER_PX, LIMITS)
    assert stretch.width == UNMEASURED
    assert stretch.arc_stop_px == pytest.approx(100.0)


def test_a_row_is_flagged_where_a_third_of_it_is() -> None:
    flagged = widths([2.0] * 6)
    flagged.flag[0] = True
    ((stretch,),) = stretches_of(windows(300.0), flagged, MM_PER_PX, LIMITS)
    assert not stretch.width.width_flag
    flagged.flag[1] = True
    ((stretch,),) = stretches_of(windows(300.0), flagged, MM_PER_PX, LIMITS)
    assert stretch.width.width_flag


CORNER = np.array([[0.0, 0.0], [0.0, 10.0], [10.0, 10.0]])


@pytest.mark.parametrize(
    ("start", "stop", "expected"),
    [
        (0.0, 20.0, CORNER.tolist()),
        (-1.0, 99.0, CORNER.tolist()),
        (4.0, 8.0, [[0, 4], [0, 8]]),
        (5.0, 15.0, [[0, 5], [0, 10], [5, 10]]),
        (10.0, 20.0, [[0, 10], [10, 10]]),
        (0.0, 10.0, [[0, 0], [0, 10]]),
    ],
)
def test_cut_line(start: float, stop: float, expected: list[list[float]]) -> None:
    assert cut_line(CORNER, start, stop).tolist() == expected


def test_pieces_meet_exactly() -> None:
    line = np.cumsum(np.random.default_rng(2).normal(0.5, 1.0, (60, 2)), axis=0)
    length = np.hypot(*np.diff(line, axis=0).T).sum()
    pieces = [cut_line(line, low, high) for low, high in pairwise(np.linspace(0.0, length, 9))]
    assert (pieces[0][0].tolist(), pieces[-1][-1].tolist()) == (line[0].tolist(), line[-1].tolist())
    for one, two in pairwise(pieces):
        assert one[-1].tolist() == two[0].tolist()

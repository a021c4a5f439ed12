"""Lines become points at equal steps; windows partition them."""

import numpy as np
import pytest

from crackpipe.pipeline.width.windows import paths_of, windows_of

CORNER = np.array([[10.0, 10.0], [10.0, 70.0], [100.0, 70.0]])


def test_points_lie_on_the_line_at_equal_steps() -> None:
    paths = paths_of([CORNER], [2.0])
    assert paths.first.tolist() == [0, 301]
    assert paths.step_px[0] == pytest.approx(0.5)
    assert paths.points[[0, 120, 300]].tolist() == CORNER.tolist()
    assert np.allclose(np.abs(paths.tangents[[0, 300]]), [[0, 1], [1, 0]])


def test_half_widths_are_interpolated_between_vertices() -> None:
    paths = paths_of([CORNER], [np.array([1.0, 2.0, 2.0])])
    assert paths.half_width_px[[0, 60, 120]].tolist() == pytest.approx([1.0, 1.5, 2.0])
    assert windows_of(paths, 50.0).half_width_px.tolist() == pytest.approx([1.83333, 2.0, 2.0], abs=1e-3)


def test_windows_partition_every_line() -> None:
    short = np.array([[0.0, 0.0], [3.0, 4.0]])
    windows = windows_of(paths_of([CORNER, short], [2.0, 2.0]), 50.0)
    assert windows.line.tolist() == [0, 0, 0, 1]
    assert windows.arc_start_px.tolist() == pytest.approx([0, 50, 100, 0])
    assert windows.arc_stop_px.tolist() == pytest.approx([50, 100, 150, 5])
    assert windows.center.tolist() == pytest.approx(np.array([[10, 35], [25, 70], [75, 70], [1.5, 2]]))
    assert np.allclose(windows.tangent[3], [0.6, 0.8])


def test_a_ring_of_one_window_has_a_direction() -> None:
    ring = np.array([[0.0, 0.0], [0.0, 8.0], [8.0, 8.0], [8.0, 0.0], [0.0, 0.0]])
    windows = windows_of(paths_of([ring], [1.0]), 50.0)
    assert np.hypot(*windows.tangent[0]) == pytest.approx(1.0)


def test_no_lines_no_windows() -> None:
    assert len(windows_of(paths_of([], []), 50.0).line) == 0


def test_a_line_without_length_is_refused() -> None:
    with pytest.raises(ValueError, match="line 0 has 2 vertices and length 0 px"):
        paths_of([np.array([[1.0, 1.0], [1.0, 1.0]])], [1.0])


def test_two_widths_at_a_junction_are_left_out_but_never_the_middle() -> None:
    line, short = np.array([[0.0, 0.0], [0.0, 60.0]]), np.array([[0.0, 0.0], [0.0, 6.0]])
    paths = paths_of([line, short, line], [2.0, 2.0, 2.0], [(True, False), (True, True), (False, False)])
    col, clear = paths.points[:, 1], paths.clear
    first = slice(int(paths.first[0]), int(paths.first[1]))
    second = slice(int(paths.first[1]), int(paths.first[2]))
    assert (clear[first] == (col[first] >= 8.0)).all()
    assert (clear[second] == ((col[second] >= 2.0 - 1e-9) & (col[second] <= 4.0 + 1e-9))).all()
    assert clear[int(paths.first[2]) :].all()

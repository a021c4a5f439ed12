"""Stretches that both years show, on lines that can be checked by eye."""

import numpy as np
import pytest
from numpy.typing import NDArray

from crackpipe.pipeline.compare.flat.lines import Lines
from crackpipe.pipeline.compare.stretches.match import Stretches, stretches

LEAST_M = 0.15


def lines(*each: list[tuple[float, float]]) -> Lines:
    points = [np.array(one, np.float64) for one in each]
    return Lines(np.concatenate(points), np.concatenate([[0], np.cumsum([len(one) for one in points])]))


def matched(one: Lines, other: Lines, reach_m: float = 0.05) -> Stretches:
    reach: NDArray[np.float64] = np.full(len(one), reach_m)
    return stretches(one, other, reach, LEAST_M)


def told(found: Stretches) -> list[tuple[int, float, float, bool]]:
    return [
        (int(line), round(float(start), 2), round(float(stop), 2), bool(both))
        for line, start, stop, both in zip(found.line, found.start_m, found.stop_m, found.both, strict=True)
    ]


WHOLE = lines([(0, 0), (2, 0)])


def test_a_line_beside_is_matched_and_one_farther_off_is_not() -> None:
    assert told(matched(WHOLE, lines([(0, 0.04), (2, 0.04)]))) == [(0, 0.0, 2.0, True)]
    assert told(matched(WHOLE, lines([(0, 0.06), (2, 0.06)]))) == [(0, 0.0, 2.0, False)]
    assert matched(WHOLE, lines([(0, 0.04), (2, 0.04)])).away_m == pytest.approx([0.04])


def test_a_line_that_runs_the_other_way_round_is_matched() -> None:
    assert told(matched(WHOLE, lines([(2, 0.01), (0, 0.01)]))) == [(0, 0.0, 2.0, True)]


def test_a_crossing_line_is_not() -> None:
    assert told(matched(WHOLE, lines([(1, -1), (1, 1)]))) == [(0, 0.0, 2.0, False)]


def test_behind_a_crossing_line_the_line_beside_is_seen() -> None:
    found = matched(WHOLE, lines([(1, -1), (1, 1)], [(0, 0.03), (2, 0.03)]))
    assert told(found) == [(0, 0.0, 2.0, True)]
    assert found.pair_line.tolist() == [1]


def test_what_grew_is_a_stretch_of_its_own() -> None:
    found = told(matched(WHOLE, lines([(0, 0), (1.2, 0)])))
    assert [each[3] for each in found] == [True, False]
    assert found[0][2] == found[1][1] == pytest.approx(1.2, abs=0.05)


def test_short_ends_and_gaps_count_as_matched() -> None:
    assert told(matched(WHOLE, lines([(0.1, 0), (0.9, 0)], [(1.02, 0), (1.9, 0)]))) == [(0, 0.0, 2.0, True)]


def test_pairs_say_how_much_of_each_line_lies_beside() -> None:
    found = matched(WHOLE, lines([(0, 0), (0.8, 0)], [(0.8, 0), (2, 0)]))
    assert found.pair_stretch.tolist() == [0, 0]
    assert found.pair_line.tolist() == [0, 1]
    assert found.pair_m == pytest.approx([0.8, 1.2], abs=0.05)


def test_lines_in_different_tiles_meet_at_their_border() -> None:
    found = matched(lines([(399, 0), (400.5, 0)]), lines([(399.5, 0.01), (401.5, 0.01)]))
    assert [each[3] for each in told(found)] == [False, True]


def test_without_other_lines_nothing_is_matched() -> None:
    assert told(matched(WHOLE, Lines(np.zeros((0, 2)), np.zeros(1, np.int64)))) == [(0, 0.0, 2.0, False)]

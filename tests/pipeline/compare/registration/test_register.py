"""A field from the cracks alone, held against the field by which they were moved."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from years.two_years import wandering

from crackpipe.pipeline.compare.flat.lines import Lines
from crackpipe.pipeline.compare.registration.field import Field
from crackpipe.pipeline.compare.registration.nodes import SPACING_M, nodes_of
from crackpipe.pipeline.compare.registration.register import register

Floats = NDArray[np.float64]


def lines(seed: int, count: int, length_m: float) -> Lines:
    found = [each.line for each in wandering(seed, count, length_m)]
    return Lines(np.concatenate(found), np.concatenate([[0], np.cumsum([len(each) for each in found])]))


def turned(xy: Floats) -> Floats:
    """Moved by half a metre and turned by 0.2 degrees about the middle of 120 m."""
    angle = np.radians(0.2)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.asarray((xy - [60, 1.75]) @ turn.T + [60.36, 1.41])


def wandered(xy: Floats) -> Floats:
    """Moved by a field that changes by up to 6 mm a metre."""
    return np.asarray(xy + 0.4 * np.column_stack([np.sin(xy[:, 0] / 70), np.cos(xy[:, 0] / 90)]))


@pytest.mark.parametrize(("moved", "most_m"), [(turned, 0.004), (wandered, 0.02)])
def test_the_field_is_found_though_half_of_the_cracks_are_others(
    moved: Callable[[Floats], Floats], most_m: float
) -> None:
    older, others = lines(1, 200, 120.0), lines(2, 100, 120.0)
    kept = older.take(np.arange(100))
    noise = np.random.default_rng(3).normal(0, 0.003, kept.xy.shape)
    both = [moved(kept.xy) + noise, others.xy]
    newer = Lines(np.concatenate(both), np.concatenate([kept.first, kept.first[-1] + others.first[1:]]))
    found = register(older, newer, 1.0)
    error = np.hypot(*(older.xy + found.field.offsets(older.xy) - moved(older.xy)).T)
    assert np.median(error) < most_m / 2
    assert error.max() < 3 * most_m
    assert np.nanmedian(found.residual_m) < 0.01
    assert (found.share > 2 * found.chance).all()
    back = found.field.back(moved(older.xy))
    assert np.abs(back - older.xy).max() < 3 * most_m


def test_nodes_are_nowhere_nearer_than_twenty_metres() -> None:
    xy = np.random.default_rng(1).uniform(0, 200, (4000, 2))
    nodes = nodes_of(xy, xy)
    assert 20 < len(nodes) <= 100
    assert cKDTree(nodes).query(nodes, k=2)[0][:, 1].min() > SPACING_M
    assert len(nodes_of(xy, xy + 1000)) == 0


def test_one_node_turns_the_ground_around_it_and_no_farther_than_its_lever() -> None:
    field = Field(np.array([[10.0, 0.0]]), np.array([[0.5, -0.25, 0.01]]))
    offsets = field.offsets(np.array([[10.0, 0.0], [12.0, 0.0], [10.0, 3.0], [1000.0, 0.0]]))
    expected = [[0.5, -0.25], [0.5, -0.23], [0.47, -0.25], [0.5, -0.25 + 0.01 * 30]]
    assert offsets == pytest.approx(np.array(expected))


def test_without_nodes_nothing_moves() -> None:
    field = Field(np.zeros((0, 2)), np.zeros((0, 3)))
    assert (field.offsets(np.ones((5, 2))) == 0).all()

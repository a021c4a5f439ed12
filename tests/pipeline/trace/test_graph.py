"""From pixels to paths, on skeletons small enough to follow with a finger."""

import numpy as np
import pytest
from drawn import mask_of

from crackpipe.pipeline.trace.graph import Graph, graph_of
from crackpipe.pipeline.trace.skeleton import Skeleton


def graph_from(text: str) -> Graph:
    """The pixels as drawn, not thinned."""
    pixels = np.argwhere(mask_of(text)).astype(np.int64)
    count = len(pixels)
    return graph_of(
        Skeleton(
            pixels=pixels,
            half_width_px=np.full(count, 0.5, np.float32),
            probability=np.full(count, 127, np.uint8),
            offset_px=np.zeros((count, 2), np.float32),
            area_px=0,
        )
    )


def paths(graph: Graph) -> list[list[tuple[float, ...]]]:
    return [[tuple(at) for at in graph.samples.position[path].tolist()] for path in graph.paths.values()]


def degrees(graph: Graph) -> list[int]:
    return sorted(graph.degree(node) for node in graph.at_node)


def test_a_staircase_is_one_line() -> None:
    graph = graph_from("""
##..
.##.
..##
""")
    assert paths(graph) == [[(0, 0), (0, 1), (1, 1), (1, 2), (2, 2), (2, 3)]]


def test_a_diagonal_is_one_line() -> None:
    graph = graph_from("""
#...
.#..
..##
""")
    assert graph.length_px == {0: pytest.approx(2 * np.sqrt(2) + 1)}


def test_t() -> None:
    graph = graph_from("""
#####
..#..
..#..
""")
    assert degrees(graph) == [1, 1, 1, 3]
    assert [len(path) for path in paths(graph)] == [3, 3, 3]


def test_a_cluster_is_one_junction_at_its_centroid() -> None:
    graph = graph_from("""
.#..
.##.
##..
..#.
""")
    junction = next(node for node in graph.at_node if graph.is_junction(node))
    cluster = np.array([[1, 1], [2, 1]])
    assert graph.samples.position[junction].tolist() == cluster.mean(axis=0).tolist()
    assert graph.samples.probability[junction] == pytest.approx(0.5)
    assert graph.degree(junction) == 4


def test_x_and_its_centre() -> None:
    graph = graph_from("""
#...#
.#.#.
..#..
.#.#.
#...#
""")
    assert degrees(graph) == [1, 1, 1, 1, 4]


def test_a_ring_has_no_junction() -> None:
    graph = graph_from("""
.##.
#..#
.##.
""")
    assert [graph.is_ring(path_id) for path_id in graph.paths] == [True]
    assert paths(graph)[0][0] == paths(graph)[0][-1] == (0, 1)


def test_figure_eight_keeps_both_loops() -> None:
    graph = graph_from("""
.##..
#..#.
.##..
..#..
.##..
#..#.
.##..
""")
    loops = [path_id for path_id in graph.paths if graph.nodes(path_id)[0] == graph.nodes(path_id)[1]]
    assert len(loops) == 2
    assert not any(graph.is_ring(path_id) for path_id in loops)


def test_parallel_paths_are_both_kept() -> None:
    graph = graph_from("""
..####..
###..###
..####..
""")
    ends = [tuple(sorted(graph.nodes(path_id))) for path_id in graph.paths]
    assert len(ends) == 4
    assert len(set(ends)) == 3


def test_lines_do_not_meet_around_the_edge_of_the_image() -> None:
    graph = graph_from("""
...##
#....
##...
""")
    assert len(graph.paths) == 2


def test_a_lone_pixel_is_no_line_and_nothing_is_nothing() -> None:
    assert not graph_from("#").paths
    assert not graph_from("...").paths


def test_dissolving_a_node_keeps_the_length() -> None:
    graph = graph_from("""
#####
..#..
..#..
""")
    stem = next(path_id for path_id in graph.paths if paths(graph)[path_id][-1] == (2, 2))
    graph.remove(stem)
    junction = graph.nodes(next(iter(graph.paths)))[1]
    merged = graph.dissolve(junction)
    assert merged is not None
    assert graph.length_px == {merged: 4.0}
    assert degrees(graph) == [1, 1]

"""The table of a survey whose images meet: lengths, identifiers, types, in any CRS and any order."""

import itertools
from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
from affine import Affine
from frames import UTM32, survey_image, transform_at
from pyproj import CRS
from widths import SMALL

from crackpipe.pipeline.geometry.crs import footprint_in
from crackpipe.pipeline.image import SurveyImage
from crackpipe.pipeline.sample.files import ground_transform
from crackpipe.pipeline.tables.collect import Figures, Staged, collect
from crackpipe.pipeline.tables.crack_rows import Piece, crack_rows, write_rows
from crackpipe.pipeline.tables.crack_type import TypeLimits
from crackpipe.pipeline.tables.overlaps.plane import Frame

LONLAT = (9.0, 48.7)
CRACK = [(100.0, 500.0), (700.0, 520.0), (1300.0, 505.0)]
"""In pixels of the first image, 1.2 m down the road into the second."""


def piece(vertices: list[tuple[float, float]], network: int = 0, *, cell: bool = False) -> Piece:
    return Piece(
        vertices=np.array(vertices, float),
        network=network,
        closes_cell=cell,
        width=SMALL,
        confidence=0.9,
        bridged_px=50.0,
    )


def stage(
    folder: Path,
    seen: list[tuple[SurveyImage, list[Piece]]],
    crs: CRS = UTM32,
    travel_deg: float | None = 0.0,
) -> list[Staged]:
    found = []
    for image, pieces in seen:
        file = folder / f"{image.image_id}.parquet"
        write_rows(crack_rows(pieces, image, weights="w"), file)
        corners = footprint_in(image.footprint, image.crs_wkt, crs.to_wkt())
        assert corners is not None
        frame = Frame(corners, image.height_px, image.width_px, image.ground_matrix)
        found.append(Staged(image.image_id, file, frame, image.survey, "w", travel_deg))
    return found


def table(staged: list[Staged], crs: CRS = UTM32, **options: object) -> gpd.GeoDataFrame:
    target = staged[0].rows.parent / "cracks.parquet"
    figures = collect(staged, [each.frame.corners for each in staged], crs, target, **options)  # type: ignore[arg-type]
    frame = gpd.read_parquet(target)
    for image_id, rows in frame.groupby("image_id"):
        assert figures[image_id].cracks == len(rows)
        assert figures[image_id].crack_length_m == pytest.approx(rows.length_m.sum())
        assert figures[image_id].crack_length_small_m == pytest.approx(rows.length_m.sum())
        assert figures[image_id].crack_length_tiny_m == 0.0
    assert sum(each.cracks for each in figures.values()) == len(frame)
    return frame


def two_halves(
    crs: CRS, transform: Affine, *, step_px: int = 600, second: tuple[CRS, Affine] | None = None
) -> list[tuple[SurveyImage, list[Piece]]]:
    """An image and the one 600 rows further down, each with what it sees of CRACK."""
    down = second or (crs, transform @ Affine.translation(0, step_px))
    inside = [*CRACK[:2], (999.0, 512.6)]
    below = [(step_px + 0.0, 516.7), *CRACK[1:]] if step_px < 700 else CRACK[1:]
    moved = [(row - step_px, col) for row, col in below]
    return [
        (survey_image("a.tif", crs, transform), [piece(inside)]),
        (survey_image("b.tif", *down), [piece(moved)]),
    ]


TRUE_M = float(sum(np.hypot(*np.diff(CRACK, axis=0).T))) / 1000


@pytest.mark.parametrize("turned_deg", [0.0, 33.0])
@pytest.mark.parametrize("epsg", [25832, 2263, 4326, 3857])
def test_a_crack_through_two_images_in_any_crs(tmp_path: Path, epsg: int, turned_deg: float) -> None:
    crs = CRS.from_epsg(epsg)
    place = (-73.9, 40.7) if epsg == 2263 else LONLAT
    transform = ground_transform(crs, *place, 1.0, heading_deg=turned_deg, size_px=(1600, 1000))
    frame = table(stage(tmp_path, two_halves(crs, transform), crs, travel_deg=turned_deg), crs)
    assert frame.length_m.sum() == pytest.approx(TRUE_M, rel=2e-4)
    assert frame.network_id.nunique() == 1 and sorted(frame.image_id) == ["a.tif", "b.tif"]
    assert frame.crack_type.tolist() == ["longitudinal"] * 2
    # half of 1.1 m down there the second takes over, plus half a tolerance
    first = frame[frame.image_id == "a.tif"].iloc[0]
    assert first.length_m == pytest.approx(0.7 + 0.015, abs=3e-3)
    assert first.bridged_m == pytest.approx(0.05 * first.length_m / 0.9, rel=0.01)


def test_images_of_different_crs_and_gsd(tmp_path: Path) -> None:
    """The second image in UTM zone 33 and at 2 mm/px."""
    first = ground_transform(UTM32, 12.0, 48.7, 1.0, size_px=(1600, 1000))
    utm33 = CRS("EPSG:25833")
    corners = footprint_in(
        survey_image("b", UTM32, first @ Affine.translation(0, 600)).footprint, UTM32.to_wkt(), utm33.to_wkt()
    )
    assert corners is not None
    (x0, y0), (x1, y1), _, (x3, y3) = corners
    coarse = Affine((x1 - x0) / 500, (x3 - x0) / 500, x0, (y1 - y0) / 500, (y3 - y0) / 500, y0)
    seen = [(0.0, 516.7), *((row - 600, col) for row, col in CRACK[1:])]
    halved = [((row + 0.5) / 2 - 0.5, (col + 0.5) / 2 - 0.5) for row, col in seen]
    two = [
        two_halves(UTM32, first)[0],
        (survey_image("b.tif", utm33, coarse, (500, 500)), [piece(halved)]),
    ]
    frame = table(stage(tmp_path, two))
    assert frame.length_m.sum() == pytest.approx(TRUE_M, rel=1e-3)
    assert frame.network_id.nunique() == 1 and len(frame) == 2


def test_rows_have_the_names_of_survey_and_weights_of_today(tmp_path: Path) -> None:
    """The first image was inspected before its survey was renamed, the second after; so with the weights."""
    staged = stage(tmp_path, two_halves(UTM32, transform_at(0, 0)))
    renamed = [replace(each, survey="roads", weights="spring") for each in staged]
    assert set(table(staged).survey) == {"survey"}
    again = table(renamed)
    assert again.survey.tolist() == ["roads"] * 2
    assert again.weights.tolist() == ["spring"] * 2


def test_identifiers_at_seams(tmp_path: Path) -> None:
    """What was not cut keeps its identifiers; the network takes those of its first image."""
    transform = transform_at(0, 0)
    alone = table(stage(tmp_path, two_halves(UTM32, transform)[:1])).iloc[0]
    far = piece([(50, 50), (90, 90)], network=1)
    (first, pieces), second = two_halves(UTM32, transform)
    together = table(stage(tmp_path, [(first, [*pieces, far]), second]))
    assert set(together[together.length_m > 0.1].network_id) == {alone.network_id}
    assert alone.crack_id in set(together.crack_id)  # the first part keeps its own
    assert together.crack_id.is_unique and together.network_id.nunique() == 2


def test_a_row_cut_in_two_gets_two_identifiers(tmp_path: Path) -> None:
    """A small image in the middle of a large one takes the middle of its crack."""
    large = survey_image("a.tif", UTM32, transform_at(0, 0), (2000, 700))
    small = survey_image("b.tif", UTM32, transform_at(0, -0.5), (1000, 700))
    across = [piece([(10, 30), (1990, 40)])], [piece([(5, 32.5), (990, 37.4)])]
    once = table(stage(tmp_path, [(large, across[0]), (small, across[1])]))
    assert once.crack_id.is_unique and once.network_id.nunique() == 1
    assert once.length_m.sum() == pytest.approx(1.98, rel=2e-3)


@pytest.mark.parametrize("halves_mm", [(15, 15), (15, 5), (15, 0)])
def test_bits_at_a_border_count_if_they_are_long_enough_together(
    tmp_path: Path, halves_mm: tuple[int, int]
) -> None:
    upper, lower = halves_mm
    tiles = [
        (survey_image("a.tif", UTM32, transform_at(0, 0)), [piece([(999.4 - upper, 300), (999.4, 300)])]),
        (
            survey_image("b.tif", UTM32, transform_at(0, -1)),
            [piece([(-0.4, 300), (-0.4 + lower, 300)])] if lower else [],
        ),
    ]
    frame = table(stage(tmp_path, tiles))
    assert len(frame) == (2 if sum(halves_mm) >= 25 else 0)


def test_a_pattern_may_close_across_tiles(tmp_path: Path) -> None:
    upper = [(999.4, 300.0), (600.0, 300.0), (600.0, 700.0), (999.4, 700.0)]
    lower = [(-0.4, 300.0), (400.0, 300.0), (400.0, 700.0), (-0.4, 700.0)]
    tiles = [
        (survey_image("a.tif", UTM32, transform_at(0, 0)), [piece(upper)]),
        (survey_image("b.tif", UTM32, transform_at(0, -1)), [piece(lower)]),
    ]
    assert table(stage(tmp_path, tiles)).crack_type.tolist() == ["pattern"] * 2
    assert "pattern" not in table(stage(tmp_path, tiles[:1])).crack_type.tolist()


def test_limits_of_types_are_options_and_unknown_travel_is_null(tmp_path: Path) -> None:
    slanted = [
        (survey_image("a.tif", UTM32, transform_at(0, 0)), [piece([(100, 100), (700, 250)])])
    ]  # 14 deg
    staged = stage(tmp_path, slanted)
    assert table(staged).crack_type.tolist() == ["diagonal"]
    wide = TypeLimits(longitudinal_within_deg=15.0)
    assert table(staged, limits=wide).crack_type.tolist() == ["longitudinal"]
    assert table(stage(tmp_path, slanted, travel_deg=None)).crack_type.isna().all()


def test_same_bytes_in_any_order_of_images(tmp_path: Path) -> None:
    transform = transform_at(0, 0)
    (first, one), (second, two) = two_halves(UTM32, transform)
    third = survey_image("c.tif", UTM32, transform @ Affine.translation(0, 300))
    moved = [(row - 300, col) for row, col in [(300.0, 506.7), (700.0, 520.0), (1299.0, 505.0)]]
    staged = stage(tmp_path, [(first, one), (second, two), (third, [piece(moved)])])
    seen = set()
    for order in itertools.permutations(staged):
        assert table(list(order)).length_m.sum() == pytest.approx(TRUE_M, rel=2e-3)
        seen.add((tmp_path / "cracks.parquet").read_bytes())
    assert len(seen) == 1


def test_an_image_without_rows_has_no_figures(tmp_path: Path) -> None:
    staged = stage(tmp_path, [(survey_image("a.tif", UTM32, transform_at(0, 0)), [])])
    assert collect(staged, [], UTM32, tmp_path / "cracks.parquet").get("a.tif", Figures()) == Figures()

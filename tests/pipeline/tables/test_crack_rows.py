"""Rows of cracks.parquet: what they say, how they are ordered, and that every reader understands them."""

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import duckdb
import geopandas as gpd
import numpy as np
import pyarrow.parquet as pq
import pytest
import shapely
from affine import Affine
from pyproj import CRS
from widths import SMALL

from crackpipe.pipeline.errors import ConfigurationError
from crackpipe.pipeline.geometry.crs import footprint_in
from crackpipe.pipeline.geometry.ground import ground_matrix, gsd_mm_of
from crackpipe.pipeline.image import BandLayout, FileStamp, SurveyImage
from crackpipe.pipeline.tables import geoparquet
from crackpipe.pipeline.tables.collect import Staged, collect
from crackpipe.pipeline.tables.crack_rows import SCHEMA, Piece, crack_rows, write_rows
from crackpipe.pipeline.tables.overlaps.plane import Frame
from crackpipe.pipeline.width.row_width import UNMEASURED, RowWidth

UTM32, UTM33 = CRS("EPSG:25832"), CRS("EPSG:25833")
NORTH_UP = Affine(0.001, 0, 500_000, 0, -0.001, 5_500_000)
COLUMNS = [
    "crack_id", "network_id", "image_id", "length_m", "width_mm", "width_sigma_mm", "width_p95_mm",
    "width_max_mm", "width_class", "p_tiny", "p_small", "p_wide", "class_uncertain", "class",
    "width_flag", "orientation_deg", "crack_type", "confidence", "bridged_m", "gsd_mm", "acquired",
    "survey", "weights", "origin", "geometry", "bbox",
]  # fmt: skip


def image(
    image_id: str = "lane1/0001.tif",
    *,
    crs: CRS = UTM32,
    transform: Affine = NORTH_UP,
    acquired: date | None = None,
    size: tuple[int, int] = (4000, 1000),
) -> SurveyImage:
    ground = ground_matrix(transform, crs, *size)
    return SurveyImage(
        image_id=image_id,
        survey="survey_2025",
        file=FileStamp(Path(image_id), 1, 1),
        driver="GTiff",
        height_px=size[0],
        width_px=size[1],
        bands=3,
        dtype="uint8",
        layout=BandLayout((1, 2, 3)),
        transform=transform,
        crs_wkt=crs.to_wkt(),
        ground=((ground[0, 0], ground[0, 1]), (ground[1, 0], ground[1, 1])),
        gsd_mm=gsd_mm_of(ground),
        nodata=None,
        mask=None,
        has_missing_blocks=False,
        acquired=acquired,
    )


def piece(*vertices: tuple[float, float], network: int = 0, width: RowWidth = SMALL) -> Piece:
    return Piece(
        vertices=np.array(vertices, dtype=float),
        network=network,
        closes_cell=False,
        width=width,
        confidence=0.9,
        bridged_px=50.0,
    )


DOWN = piece((100, 500), (1100, 500))
"""One metre along the road."""
ACROSS = piece((2000, 100), (2000, 900), network=1)


def staged(
    folder: Path, *images: SurveyImage, pieces: tuple[Piece, ...] = (DOWN, ACROSS), crs: CRS = UTM32
) -> list[Staged]:
    """The images' rows in files; they were taken driving north."""
    found = []
    for index, each in enumerate(images):
        file = folder / f"{index}.parquet"
        write_rows(crack_rows(pieces, each, weights="lite-1"), file)
        corners = footprint_in(each.footprint, each.crs_wkt, crs.to_wkt())
        assert corners is not None
        frame = Frame(corners, each.height_px, each.width_px, each.ground_matrix)
        found.append(
            Staged(each.image_id, file, frame, each.survey, "lite-1", travel_deg=0.0, acquired=each.acquired)
        )
    return found


def collected(folder: Path, *images: SurveyImage, crs: CRS = UTM32) -> Path:
    target = folder / "cracks.parquet"
    rows = staged(folder, *images, crs=crs)
    collect(rows, [each.frame.corners for each in rows], crs, target)
    return target


def east(metres: float) -> Affine:
    """The transform of an image that lies so far east of the first one."""
    return Affine.translation(metres, 0) @ NORTH_UP


def test_the_table_has_the_date_that_the_survey_says_today(tmp_path: Path) -> None:
    rows = [replace(each, acquired=date(2025, 5, 1)) for each in staged(tmp_path, image())]
    target = tmp_path / "cracks.parquet"
    collect(rows, [each.frame.corners for each in rows], UTM32, target)
    assert set(pq.read_table(target)["acquired"].to_pylist()) == {date(2025, 5, 1)}


def test_schema_is_the_promised_one() -> None:
    assert SCHEMA.names == COLUMNS
    assert all(field.metadata[b"description"] for field in SCHEMA)


def test_a_row_says_where_how_long_how_wide_and_which_way() -> None:
    rows = crack_rows([DOWN, ACROSS], image(acquired=date(2025, 4, 1)), weights="lite-1").to_pylist()
    first = rows[0]
    # UTM's scale at 500 km easting is 0.9996: a metre on the map is 1.0004 m on the ground
    assert first["length_m"] == pytest.approx(1.0 / 0.9996, rel=1e-5)
    assert first["bridged_m"] == pytest.approx(0.05 / 0.9996, rel=1e-5)
    assert (first["width_mm"], first["width_class"], first["p_small"]) == (2.0, "small", 0.98)
    assert (first["acquired"], first["survey"], first["weights"]) == (
        date(2025, 4, 1),
        "survey_2025",
        "lite-1",
    )
    line = shapely.from_wkb(first["geometry"])
    assert shapely.get_coordinates(line).tolist() == pytest.approx(
        np.array([[500_000.5005, 5_499_999.8995], [500_000.5005, 5_499_998.8995]])
    )


def test_what_was_not_measured_and_what_is_unknown_is_null() -> None:
    rows = crack_rows([piece((0, 0), (9, 9), width=UNMEASURED)], image(size=(1000, 1000)), weights="w")
    (row,) = rows.to_pylist()
    nulls = {name for name, value in row.items() if value is None}
    widths = {"width_mm", "width_sigma_mm", "width_p95_mm", "width_max_mm", "width_class"}
    assert nulls == widths | {"p_tiny", "p_small", "p_wide", "acquired"}
    assert row["class_uncertain"]


def test_identifiers_are_stable_and_unique() -> None:
    star = [piece((50, 50), (20, 50)), piece((50, 50), (80, 50)), piece((50, 50), (50, 80))]
    twins = [piece((7, 7), (9, 9)), piece((7, 7), (9, 9))]
    rows = crack_rows([*star, *twins, ACROSS], image(), weights="w")
    again = crack_rows([*star, *twins, ACROSS], image(), weights="other")
    ids = rows.column("crack_id").to_pylist()
    assert len(set(ids)) == 6 and all(len(each) == 16 for each in ids)
    assert again.column("crack_id").to_pylist() == ids
    networks = rows.column("network_id").to_pylist()
    assert len(set(networks)) == 2 and networks[0] == networks[4] != networks[5]
    other = crack_rows(star, image("lane2/0001.tif"), weights="w")
    assert not set(other.column("crack_id").to_pylist()) & set(ids)


def test_ids_do_not_depend_on_what_else_is_found() -> None:
    few = crack_rows([DOWN], image(), weights="w").column("crack_id")[0]
    many = crack_rows([ACROSS, DOWN], image(), weights="w").column("crack_id")[1]
    assert few == many


def test_geopandas_reads_it(tmp_path: Path) -> None:
    other = image("b.tif", acquired=date(2024, 1, 2), transform=east(1.5))
    frame = gpd.read_parquet(collected(tmp_path, image(), other))
    assert frame.crs == UTM32
    assert list(frame.columns) == COLUMNS[:-1]  # it hides the covering
    assert len(frame) == 4 and (frame.geom_type == "LineString").all()
    assert frame.length.sum() == pytest.approx(2 * 1.8)
    near = gpd.read_parquet(tmp_path / "cracks.parquet", bbox=(500_000, 5_499_997.9, 500_001, 5_499_998.1))
    assert near.orientation_deg.tolist() == pytest.approx([90.0])
    assert dict(zip(frame.orientation_deg.round(), frame.crack_type, strict=True)) == {
        0.0: "longitudinal",
        90.0: "transverse",
    }


def test_duckdb_reads_and_filters_it(tmp_path: Path) -> None:
    file = collected(tmp_path, image())
    query = f"SELECT width_class, sum(length_m) FROM '{file}' WHERE bbox.ymin > 5499998.5 GROUP BY 1"
    assert duckdb.sql(query).fetchall() == [("small", pytest.approx(1.0004, abs=1e-4))]
    kinds = dict(
        duckdb.sql(f"SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM '{file}')").fetchall()
    )
    assert kinds["acquired"] == "DATE" and kinds["width_mm"] == "DOUBLE"


def test_the_geo_metadata_follow_the_specification(tmp_path: Path) -> None:
    file = pq.ParquetFile(collected(tmp_path, image()))
    geo = json.loads(file.schema_arrow.metadata[b"geo"])
    column = geo["columns"]["geometry"]
    assert (geo["version"], geo["primary_column"]) == ("1.1.0", "geometry")
    assert (column["encoding"], column["geometry_types"]) == ("WKB", ["LineString"])
    assert CRS.from_json_dict(column["crs"]) == UTM32
    assert column["covering"]["bbox"]["ymax"] == ["bbox", "ymax"]
    assert column["bbox"][:2] == pytest.approx([500_000.1005, 5_499_997.9995])
    descriptions = json.loads(file.schema_arrow.metadata[b"column_descriptions"])
    assert list(descriptions) == COLUMNS
    assert file.metadata.row_group(0).column(0).compression == "ZSTD"


def test_an_empty_survey_has_the_full_schema(tmp_path: Path) -> None:
    target = tmp_path / "cracks.parquet"
    assert collect([], [image().footprint], UTM32, target) == {}
    frame = gpd.read_parquet(target)
    assert (len(frame), list(frame.columns), frame.crs) == (0, COLUMNS[:-1], UTM32)
    assert duckdb.sql(f"SELECT count(*) FROM '{target}'").fetchall() == [(0,)]
    empty = staged(tmp_path, image(), pieces=())
    assert collect(empty, [image().footprint], UTM32, target) == {}
    assert collect([], [], None, target) == {}
    assert json.loads(pq.read_schema(target).metadata[b"geo"])["columns"]["geometry"]["crs"] is None


def test_same_bytes_twice_and_in_any_order(tmp_path: Path) -> None:
    images = [image(f"{k}.tif", transform=NORTH_UP @ Affine.translation(1500 * k, 0)) for k in range(4)]
    footprints = [each.footprint for each in images]
    files = staged(tmp_path, *images)
    for name, order in (("a", [0, 1, 2, 3]), ("b", [0, 1, 2, 3]), ("c", [2, 0, 3, 1])):
        target = tmp_path / f"{name}.parquet"
        figures = collect([files[k] for k in order], [footprints[k] for k in order], UTM32, target)
        assert sum(each.cracks for each in figures.values()) == 8
    assert len({(tmp_path / f"{name}.parquet").read_bytes() for name in "abc"}) == 1


def test_rows_lie_along_a_hilbert_curve(tmp_path: Path) -> None:
    images = [image(f"{k}.tif", transform=NORTH_UP @ Affine.translation(1000 * k, 0)) for k in range(4)]
    frame = gpd.read_parquet(collected(tmp_path, *reversed(images)))
    bounds = np.concatenate([each.footprint for each in images])
    place = frame.hilbert_distance((*bounds.min(axis=0), *bounds.max(axis=0)))
    assert place.is_monotonic_increasing


def test_images_in_another_crs_join_the_surveys(tmp_path: Path) -> None:
    """The same place as seen from UTM zones 32 and 33: same line, north turned by the convergence."""
    here = Affine(0.001, 0, 750_000, 0, -0.001, 5_500_000)
    frame = gpd.read_parquet(collected(tmp_path, image(crs=UTM33, transform=here)))
    own = gpd.GeoSeries.from_wkb(
        pq.read_table(tmp_path / "0.parquet").column("geometry").to_pylist(), crs=UTM33
    )
    assert frame.geometry.iloc[0].distance(own.to_crs(UTM32).union_all()) < 1e-6
    down = frame[frame.crack_type == "longitudinal"].iloc[0]
    (x0, y0), (x1, y1) = shapely.get_coordinates(down.geometry)[[0, -1]]
    assert down.orientation_deg == pytest.approx(np.degrees(np.arctan2(x1 - x0, y1 - y0)) % 180)
    assert 1.0 < down.orientation_deg < 179.0
    assert down.length_m == pytest.approx(1.0, rel=2e-3)


def test_a_map_in_degrees(tmp_path: Path) -> None:
    frame = gpd.read_parquet(collected(tmp_path, image(), crs=CRS("EPSG:4326")))
    assert frame.crs == CRS("EPSG:4326")
    folded = np.minimum(frame.orientation_deg % 90, 90 - frame.orientation_deg % 90)
    assert folded.max() < 0.3  # central meridian: no convergence
    assert frame.geometry.iloc[0].bounds[0] == pytest.approx(9.0, abs=1e-3)


def test_an_image_outside_the_crs_of_the_tables_is_named(tmp_path: Path) -> None:
    other_side_of_the_earth = CRS("+proj=gnom +lat_0=-49 +lon_0=-171")
    rows = staged(tmp_path, image("far.tif"))
    with pytest.raises(ConfigurationError, match=r"far.tif .* lies outside .* Give another --crs"):
        collect(rows, [], other_side_of_the_earth, tmp_path / "cracks.parquet")


def test_row_groups_have_50_to_150_thousand_rows(tmp_path: Path) -> None:
    rows = crack_rows([DOWN], image(), weights="w")
    lines = shapely.from_wkb(rows.column("geometry").to_numpy())
    rows = rows.drop_columns(["closes_cell"]).append_column(SCHEMA.field("bbox"), geoparquet.bbox_of(lines))
    for count in (149_999, 150_001, 230_000):
        target = tmp_path / "many.parquet"
        order = np.zeros(count, dtype=np.intp)
        geoparquet.write(rows, order, target, crs=UTM32, geometry_type="LineString")
        metadata = pq.ParquetFile(target).metadata
        sizes = [metadata.row_group(k).num_rows for k in range(metadata.num_row_groups)]
        assert sum(sizes) == count
        assert all(50_000 <= size <= 150_000 for size in sizes), sizes

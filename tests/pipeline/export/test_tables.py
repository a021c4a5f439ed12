"""FlatGeobuf, GeoJSON, CSV and Shapefile, read back by others."""

import csv
import json
from pathlib import Path

import geopandas as gpd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crackpipe.pipeline.export.layers import layers_of
from crackpipe.pipeline.export.tables import short_names, write_tables
from crackpipe.pipeline.tables import crack_rows, image_rows


def with_texts(finished: Path, folder: Path, column: str, texts: list[str]) -> Path:
    """The images of a run with other texts in one column, in `folder`."""
    table = pq.read_table(finished / "images.parquet")
    at = table.schema.get_field_index(column)
    changed = pa.array([*texts, *[None] * (table.num_rows - len(texts))], pa.string())
    pq.write_table(table.set_column(at, table.schema.field(at), changed), folder / "images.parquet")
    return folder


@pytest.mark.parametrize(("form", "tolerance_m"), [("fgb", 0), ("geojson", 0.0002), ("csv", 1e-8)])
def test_each_format_holds_the_same_cracks(
    finished: Path, tmp_path: Path, form: str, tolerance_m: float
) -> None:
    write_tables(layers_of(finished), form, tmp_path)
    table = gpd.read_parquet(finished / "cracks.parquet").sort_values("crack_id")
    read = gpd.read_file(tmp_path / f"cracks.{form}")
    if form == "csv":
        read = gpd.GeoDataFrame(read.drop(columns="WKT"), geometry=gpd.GeoSeries.from_wkt(read["WKT"]))
        read = read.set_crs(table.crs)
    read = read.to_crs(table.crs).sort_values("crack_id")
    assert read.crack_id.tolist() == table.crack_id.tolist()
    assert read.length_m.astype(float).round(9).tolist() == table.length_m.round(9).tolist()
    far = read.geometry.reset_index(drop=True).hausdorff_distance(table.geometry.reset_index(drop=True))
    assert far.max() <= tolerance_m


def test_geojson_is_in_degrees(finished: Path, tmp_path: Path) -> None:
    write_tables(layers_of(finished), "geojson", tmp_path)
    west, south, east, north = json.loads((tmp_path / "cracks.geojson").read_text())["bbox"]
    assert 8.99 < west < east < 9.01
    assert 48.7 < south < north < 48.8


def test_images_without_a_place_are_in_every_format(finished: Path, tmp_path: Path) -> None:
    for form in ("fgb", "geojson", "csv"):
        write_tables(layers_of(finished), form, tmp_path)
        read = gpd.read_file(tmp_path / f"images.{form}")
        assert "no-crs.tif" in read.image_id.tolist()


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_a_text_that_a_spreadsheet_would_run_gets_an_apostrophe(
    finished: Path, tmp_path: Path, start: str
) -> None:
    hostile = f"{start}HYPERLINK(1)"
    write_tables(
        layers_of(with_texts(finished, tmp_path, "message", [hostile, "plain = 1"])), "csv", tmp_path
    )
    with (tmp_path / "images.csv").open(newline="", encoding="utf-8-sig") as file:
        messages = [row["message"] for row in csv.DictReader(file)]
    assert messages[:2] == [f"'{hostile}", "plain = 1"]


def test_numbers_below_zero_and_dates_stay_what_they_are(finished: Path, tmp_path: Path) -> None:
    table = pq.read_table(finished / "cracks.parquet")
    at = table.schema.get_field_index("confidence")
    table = table.set_column(at, table.schema.field(at), pa.array([-0.5] * table.num_rows))
    at = table.schema.get_field_index("acquired")
    dates = pa.array(["2025-05-20"] * table.num_rows).cast(pa.date32())
    pq.write_table(table.set_column(at, table.schema.field(at), dates), tmp_path / "cracks.parquet")
    write_tables(layers_of(tmp_path), "csv", tmp_path)
    with (tmp_path / "cracks.csv").open(newline="", encoding="utf-8-sig") as file:
        row = next(csv.DictReader(file))
    assert (row["confidence"], row["acquired"]) == ("-0.5", "2025-05-20")


def test_a_shapefile_says_which_column_is_which_and_what_was_cut(finished: Path, tmp_path: Path) -> None:
    long = "ü" * 200  # 400 bytes
    write_tables(layers_of(with_texts(finished, tmp_path, "message", [long])), "shp", tmp_path)
    read = gpd.read_file(tmp_path / "shp" / "images.shp")
    assert read["message"][0] == "ü" * 127
    with (tmp_path / "shp" / "images.columns.csv").open(newline="") as file:
        listed = list(csv.DictReader(file))
    assert [row["column"] for row in listed] == read.columns.drop("geometry").tolist()
    assert {row["name"]: row["texts_cut"] for row in listed}["message"] == "1"
    assert {row["column"]: row["name"] for row in listed}["tiny_m"] == "crack_length_tiny_m"


def test_the_bytes_are_the_same_each_time(finished: Path, tmp_path: Path) -> None:
    for form in ("fgb", "geojson", "csv", "pmtiles", "shp"):
        for again in ("first", "second"):
            (tmp_path / again).mkdir(exist_ok=True)
            write_tables(layers_of(finished), form, tmp_path / again)
    files = [path.relative_to(tmp_path / "first") for path in (tmp_path / "first").rglob("*.*")]
    assert len(files) > 15
    for file in files:
        assert (tmp_path / "first" / file).read_bytes() == (tmp_path / "second" / file).read_bytes()


@given(st.lists(st.text(st.sampled_from("abEO_"), min_size=1, max_size=20), max_size=30, unique=True))
@settings(max_examples=200)
def test_short_names_fit_and_differ(names: list[str]) -> None:
    short = short_names(names)
    assert list(short) == [*sorted(names, key=lambda name: len(name) > 10)]
    assert all(len(each) <= 10 for each in short.values())
    long = [short[name].lower() for name in names if len(name) > 10]
    fitting = {name.lower() for name in names if len(name) <= 10}
    assert len(set(long)) == len(long)
    assert not fitting & set(long)


def test_the_columns_of_a_run_have_short_names_that_one_can_read() -> None:
    short = short_names([*crack_rows.SCHEMA.names, *image_rows.SCHEMA.names])
    assert short["width_sigma_mm"] == "w_sigma_mm"
    assert short["length_m"] == "length_m"

"""The GeoPackage holds the tables' rows, styles that QGIS takes, aliases and an index, in the same bytes."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pyarrow.parquet as pq
import pytest

from crackpipe.pipeline.export.gpkg import write_gpkg
from crackpipe.pipeline.export.layers import alias_of, layers_of


@pytest.fixture
def file(finished: Path) -> Path:
    return finished / "cracks.gpkg"


def rows(file: Path, query: str) -> list[Any]:
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
        return database.execute(query).fetchall()


@pytest.mark.parametrize("layer", ["cracks", "images"])
def test_each_layer_holds_the_rows_of_its_table(finished: Path, file: Path, layer: str) -> None:
    table = gpd.read_parquet(finished / f"{layer}.parquet")
    written = gpd.read_file(file, layer=layer)
    assert written.crs == table.crs
    assert written.columns.tolist() == table.columns.tolist()
    assert written.geometry.geom_equals_exact(table.geometry, 0)[table.geometry.notna()].all()
    assert written.geometry.isna().tolist() == table.geometry.isna().tolist()
    for column in written.columns.drop(["geometry", "overlaps_with"], errors="ignore"):
        own, other = table[column], written[column]
        if own.dtype == float:
            np.testing.assert_array_equal(other.to_numpy(float), own.to_numpy())
        else:
            assert other[other.notna()].astype(str).tolist() == own[own.notna()].astype(str).tolist()
            assert other.isna().tolist() == own.isna().tolist()


def test_lists_are_json(file: Path) -> None:
    assert {text for (text,) in rows(file, "select overlaps_with from images")} == {"[]"}


def test_qgis_finds_a_style_for_each_layer(file: Path) -> None:
    found = rows(file, "select f_table_name, f_geometry_column, useAsDefault from layer_styles")
    assert found == [("cracks", "geometry", 1), ("images", "geometry", 1)]
    [(text,)] = rows(file, "select styleQML from layer_styles where f_table_name = 'cracks'")
    assert "wide, from 3 mm" in text


def test_columns_have_names_for_people_and_descriptions(finished: Path, file: Path) -> None:
    said = {
        (table, column): (alias, text)
        for table, column, alias, text in rows(
            file, "select table_name, column_name, name, description from gpkg_data_columns"
        )
    }
    for table in ("cracks", "images"):
        for field in pq.read_schema(finished / f"{table}.parquet"):
            if field.name not in ("geometry", "bbox"):
                described = field.metadata[b"description"].decode()
                assert said[table, field.name] == (alias_of(field.name), described)


def test_both_layers_have_a_spatial_index(file: Path) -> None:
    indexed = rows(file, "select table_name from gpkg_extensions where extension_name = 'gpkg_rtree_index'")
    assert sorted(indexed) == [("cracks",), ("images",)]


def test_the_same_tables_give_the_same_bytes(finished: Path, file: Path, tmp_path: Path) -> None:
    for name in ("first.gpkg", "second.gpkg"):
        write_gpkg(layers_of(finished), tmp_path / name, (1.0, 3.0))
    assert (tmp_path / "first.gpkg").read_bytes() == (tmp_path / "second.gpkg").read_bytes()
    assert (tmp_path / "first.gpkg").read_bytes() == file.read_bytes()


def test_a_table_without_rows_gives_an_empty_layer(finished: Path, tmp_path: Path) -> None:
    empty = pq.read_table(finished / "cracks.parquet")
    pq.write_table(empty.slice(0, 0), tmp_path / "cracks.parquet")
    write_gpkg(layers_of(tmp_path), tmp_path / "cracks.gpkg", None)
    assert rows(tmp_path / "cracks.gpkg", "select count(*) from cracks") == [(0,)]

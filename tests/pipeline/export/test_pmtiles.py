"""Vector tiles, read back with the library of those who made the format."""

import math
from pathlib import Path

import geopandas as gpd
import pyogrio
import pytest
from pmtiles.reader import MmapSource, Reader
from pmtiles.tile import Compression, TileType

from crackpipe.pipeline.export.layers import TITLES, layers_of
from crackpipe.pipeline.export.pmtiles import ZOOMS
from crackpipe.pipeline.export.tables import write_tables


@pytest.fixture(scope="module")
def tiles(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiles")
    write_tables(layers_of(finished), "pmtiles", folder)
    return folder


def tile_at(longitude: float, latitude: float, zoom: int) -> tuple[int, int]:
    """Column and row of the tile that holds a place, by the formula of Web Mercator."""
    turned = math.log(math.tan(math.pi / 4 + math.radians(latitude) / 2))
    return int((longitude + 180) / 360 * 2**zoom), int((1 - turned / math.pi) / 2 * 2**zoom)


def test_a_tile_lies_where_the_cracks_lie(finished: Path, tiles: Path) -> None:
    cracks = gpd.read_parquet(finished / "cracks.parquet").to_crs(4326)
    with (tiles / "cracks.pmtiles").open("rb") as file:
        reader = Reader(MmapSource(file))
        header = reader.header()
        assert (header["tile_type"], header["tile_compression"]) == (TileType.MVT, Compression.GZIP)
        assert (header["min_zoom"], header["max_zoom"]) == (14, 18)
        [layer] = reader.metadata()["vector_layers"]
        assert layer["id"] == "cracks"
        assert {"width_class", "length_m", "class_uncertain"} <= layer["fields"].keys()
        place = cracks.geometry.iloc[0].centroid
        for zoom in (14, 18):
            assert reader.get(zoom, *tile_at(place.x, place.y, zoom))
        assert reader.get(18, *tile_at(place.x + 1, place.y, 18)) is None


def test_every_crack_is_in_the_last_zoom_to_some_centimetres(finished: Path, tiles: Path) -> None:
    read = pyogrio.read_dataframe(tiles / "cracks.pmtiles", layer="cracks").to_crs(25832)
    table = gpd.read_parquet(finished / "cracks.parquet").set_index("crack_id")
    assert set(read.crack_id) == set(table.index)
    by_id = read.dissolve("crack_id").geometry  # a crack may be cut at the edge of a tile
    assert by_id.distance(table.geometry.reindex(by_id.index)).max() < 0.05


def test_all_layers_have_a_file(tiles: Path) -> None:
    assert ZOOMS.keys() == TITLES.keys()  # a layer of `compare` or `sections` ends no export
    assert sorted(path.name for path in tiles.iterdir()) == ["cracks.pmtiles", "images.pmtiles"]

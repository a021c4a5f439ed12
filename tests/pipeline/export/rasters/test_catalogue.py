"""The catalogue is valid STAC, says where and when, and lists what it leaves out."""

import csv
import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from urllib.parse import unquote

import pystac
import pytest
from paths import ROOT
from pyproj import Transformer
from pystac.validation import RegisteredValidator
from pystac.validation.stac_validator import JsonSchemaSTACValidator
from rasterio.transform import from_origin
from rasters.drawn_masks import UTM, store_mask, with_a_line

from crackpipe.pipeline.errors import UsageError
from crackpipe.pipeline.export.rasters.catalogue import Entry, id_of, write_catalogue
from crackpipe.pipeline.export.rasters.masks import stored_mask

SCHEMAS = ROOT / "tests" / "support" / "rasters" / "stac"
"""Of the extensions, as https://stac-extensions.github.io/ gives them. Those of STAC itself pystac brings."""


@pytest.fixture
def offline() -> Iterator[None]:
    """pystac looks into the schemas here instead of fetching them."""
    validator = JsonSchemaSTACValidator()
    for file in SCHEMAS.glob("*.json"):
        name, version = file.stem.rsplit("-", 1)
        uri = f"https://stac-extensions.github.io/{name}/{version}/schema.json"
        validator.schema_cache[uri] = json.loads(file.read_text())
    before = RegisteredValidator.get_validator()
    RegisteredValidator.set_validator(validator)
    yield
    RegisteredValidator.set_validator(before)


def entry(root: Path, name: str, day: date | None) -> Entry:
    """An image of 300 x 200 px at 1 mm, whose north-west corner is at 9 degrees east in UTM 32."""
    place = from_origin(500_000, 5_400_000, 0.001, 0.001)
    group = store_mask(root / "masks.zarr" / name, with_a_line(200, 300), place)
    row = {"image_id": name, "gsd_mm": 1.0, "crack_length_m": 0.36, "familiarity": None}
    return Entry(stored_mask(name, group), day, row)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An output of which one image has no date and one has a GeoTIFF."""
    root = tmp_path / "out"
    entries = [
        entry(root, "lane1/a.tif", date(2025, 5, 20)),
        entry(root, "lane1/ü & b.tif", date(2024, 1, 1)),
        entry(root, "c.tif", None),
    ]
    cog = root / "cog" / "masks" / "lane1" / "a.tif.tif"
    cog.parent.mkdir(parents=True)
    cog.touch()
    others = [("bad.tif", "no-crs: it names none")]
    write_catalogue(entries, others, root, root / ".staged", root / "stac")
    (root / ".staged").rename(root / "stac")
    return root


def read(root: Path) -> pystac.Catalog:
    return pystac.Catalog.from_file(str(root / "stac" / "catalog.json"))


@pytest.mark.usefixtures("offline")
def test_pystac_finds_everything_valid(root: Path) -> None:
    catalog = read(root)
    for each in (catalog, catalog.get_child("images")):
        assert each is not None
        assert each.validate()
    assert catalog.validate_all() == 2  # items
    broken = next(catalog.get_items(recursive=True)).clone()
    broken.properties["proj:shape"] = ["wide"]
    with pytest.raises(pystac.errors.STACValidationError):
        broken.validate()


def test_an_item_says_where_and_when(root: Path) -> None:
    item = read(root).get_item(id_of("lane1/a.tif"), recursive=True)
    assert item is not None
    assert item.datetime is None
    assert item.properties["start_datetime"] == "2025-05-20T00:00:00Z"
    assert item.properties["end_datetime"] == "2025-05-20T23:59:59Z"
    assert item.properties["proj:code"] == "EPSG:25832"
    assert item.properties["proj:shape"] == [200, 300]
    assert item.properties["gsd"] == 0.001
    assert item.properties["crackpipe:image_id"] == "lane1/a.tif"
    to_degrees = Transformer.from_crs(UTM, 4326, always_xy=True)
    assert item.bbox == pytest.approx(
        [*to_degrees.transform(500_000, 5_399_999.8), *to_degrees.transform(500_000.3, 5_400_000)], abs=2e-9
    )


def test_every_asset_is_there_also_with_a_name_that_an_address_cannot_hold(
    root: Path, tmp_path: Path
) -> None:
    root = root.rename(tmp_path / "moved")
    found = set()
    for item in read(root).get_items(recursive=True):
        for name, asset in item.assets.items():
            href = asset.get_absolute_href()
            assert href is not None
            assert Path(unquoted(href)).exists(), href
            found.add((item.properties["crackpipe:image_id"], name))
    assert found == {
        ("lane1/a.tif", "mask"), ("lane1/a.tif", "mask_cog"), ("lane1/ü & b.tif", "mask"),
    }  # fmt: skip


def unquoted(href: str) -> str:
    return unquote(href.removeprefix("file://"))


def test_what_has_no_item_is_listed(root: Path) -> None:
    with (root / "stac" / "left_out.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows == [["image_id", "why"], ["bad.tif", "no-crs: it names none"], ["c.tif", "it has no date"]]


def test_a_survey_without_dates_is_refused_with_the_remedy(tmp_path: Path) -> None:
    entries = [entry(tmp_path, "a.tif", None)]
    with pytest.raises(UsageError, match=r"none of the 1 images .* survey.toml"):
        write_catalogue(entries, [], tmp_path, tmp_path / "stac", tmp_path / "stac")


def test_images_that_look_alike_in_an_address_have_ids_of_their_own() -> None:
    ids = [id_of(name) for name in ("a b.tif", "a_b.tif", "a/b.tif", "../a b.tif", "\udcff.tif")]
    assert len(set(ids)) == 5
    assert all(set(each) <= set("abcdefghijklmnopqrstuvwxyz0123456789_.-") for each in ids)
    assert not any(each.startswith(".") for each in ids)

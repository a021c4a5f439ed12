"""What README says of programs that open the result, tried with those that are here."""

import os
import re
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import geopandas as gpd
import pytest
import rasterio
from paths import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
READS_MASKS = (3, 12)
"""The first GDAL that README says opens masks.zarr; of 3.11 it says nothing."""

without_gdal = pytest.mark.skipif(shutil.which("ogrinfo") is None, reason="needs gdal-bin (`make remedies`)")


def as_a_user() -> dict[str, str]:
    """The environment without what crackpipe tells GDAL, and with the Python that has crackpipe."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("GDAL_")}
    return plain | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


@pytest.fixture(scope="module")
def geopackage(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What README's line makes of a finished run."""
    (line,) = re.findall(r"^    (python -c .*read_parquet.*)$", README, re.MULTILINE)
    assert "survey_2025-cracks" in line
    folder = tmp_path_factory.mktemp("geopackage")
    command = line.replace("survey_2025-cracks", str(finished))
    subprocess.run(["bash", "-c", command], cwd=folder, env=as_a_user(), check=True)
    return folder / "cracks.gpkg"


def test_readmes_line_makes_a_geopackage(geopackage: Path, finished: Path) -> None:
    cracks = gpd.read_parquet(finished / "cracks.parquet")
    with sqlite3.connect(geopackage) as database:  # a GeoPackage is an SQLite file
        rows = database.execute("select crack_id, length_m, width_class from cracks order by fid").fetchall()
        [(kind, srs)] = database.execute("select geometry_type_name, srs_id from gpkg_geometry_columns")
    database.close()
    assert rows == list(zip(cracks.crack_id, cracks.length_m, cracks.width_class, strict=True))
    assert (kind, srs) == ("LINESTRING", cracks.crs.to_epsg())


@without_gdal
def test_a_gdal_without_the_parquet_driver_opens_that_geopackage(geopackage: Path, finished: Path) -> None:
    seen = gdal("ogrinfo", "-so", str(geopackage), "cracks")
    assert f"Feature Count: {len(gpd.read_parquet(finished / 'cracks.parquet'))}" in seen
    assert "width_mm: Real" in seen
    has_driver = "Parquet" in gdal("ogrinfo", "--formats")
    assert opens("ogrinfo", finished / "cracks.parquet") == has_driver


@without_gdal
def test_readme_says_which_gdal_opens_the_masks(finished: Path) -> None:
    version = version_of(gdal("gdalinfo", "--version"))
    assert opens("gdalinfo", f'ZARR:"{finished}/masks.zarr/lane1/a.tif":/mask') == (version >= READS_MASKS)


def test_readme_says_which_rasterio_opens_the_masks(finished: Path) -> None:
    script = "import rasterio, sys; rasterio.open(sys.argv[1]).read(1)"
    mask = f'ZARR:"{finished}/masks.zarr/lane1/a.tif":/mask'
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script, mask],
        env=as_a_user(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (result.returncode == 0) == (version_of(rasterio.__gdal_version__) >= READS_MASKS), result.stderr


def version_of(text: str) -> tuple[int, int]:
    [(major, minor)] = re.findall(r"^(?:GDAL )?(\d+)\.(\d+)\.", text)
    version = int(major), int(minor)
    if version == (3, 11):
        pytest.skip("README says nothing of GDAL 3.11")
    return version


def gdal(*command: str) -> str:
    result = subprocess.run(command, env=as_a_user(), capture_output=True, text=True, check=True)
    return result.stdout


def opens(program: str, file: object) -> bool:
    result = subprocess.run([program, str(file)], env=as_a_user(), capture_output=True, check=False)
    return result.returncode == 0

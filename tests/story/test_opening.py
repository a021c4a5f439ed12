"""What README says of programs that open the result, tried with those that are here."""

import os
import re
import shutil
import subprocess
import sys
from itertools import takewhile
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
def folder(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which README's lines find what they name."""
    folder = tmp_path_factory.mktemp("opening")
    result = Path(shutil.copytree(finished, folder / "survey_2025-cracks"))
    shutil.copytree(result / "masks.zarr" / "lane1" / "a.tif", result / "masks.zarr" / "lane1" / "0001.tif")
    return folder


def lines_under(heading: str) -> str:
    """The indented lines that README gives below a bold word."""
    below = README.split(f"\n**{heading}**", 1)[1].splitlines()[1:]
    begin = next(number for number, line in enumerate(below) if line.startswith("    "))
    block = list(takewhile(lambda line: line.startswith("    "), below[begin:]))
    return "\n".join(line.removeprefix("    ") for line in block)


@pytest.mark.parametrize("heading", ["GeoPandas", "xarray"])
def test_readmes_lines_of_python_run_as_they_stand(folder: Path, heading: str) -> None:
    command = [sys.executable, "-W", "error::FutureWarning", "-c", lines_under(heading)]
    subprocess.run(command, cwd=folder, env=as_a_user(), check=True, capture_output=True)


def test_readmes_query_runs_in_duckdb_as_it_stands(folder: Path, finished: Path) -> None:
    script = "import duckdb, sys; print(duckdb.sql(sys.stdin.read()).fetchall()[0])"
    result = subprocess.run(
        [sys.executable, "-c", script], input=lines_under("DuckDB"), cwd=folder, env=as_a_user(),
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert "lane2/strip.tif" in result.stdout


@without_gdal
def test_readmes_line_of_gdal_runs_as_it_stands(folder: Path, finished: Path) -> None:
    command = lines_under("GDAL")
    result = subprocess.run(
        ["bash", "-ec", command], cwd=folder, env=as_a_user(), capture_output=True, text=True, check=True
    )
    assert f"Feature Count: {len(gpd.read_parquet(finished / 'cracks.parquet'))}" in result.stdout
    assert "width_mm: Real" in result.stdout
    assert "Warning" not in result.stderr


@without_gdal
def test_only_a_gdal_with_the_parquet_driver_opens_the_parquet(finished: Path) -> None:
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

"""A collar across several blocks is the same pixels for any cut, and takes no neighbour's ground."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import fault_kit as kit
import numpy as np
import pyarrow.parquet as pq
import pytest
import zarr
from affine import Affine
from bad_files import TILES, write
from helpers import crack, tree_hash
from numpy.typing import NDArray

from crackpipe.model.render.picture import clean_scene, render_window
from crackpipe.pipeline import run as story
from crackpipe.pipeline.config import Config
from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.raster import reader as read
from crackpipe.pipeline.raster.reader import ImageReader
from crackpipe.pipeline.request import Request
from crackpipe.pipeline.state.output import Output
from crackpipe.pipeline.survey.load import load_survey

PLACE = Affine(0.001, 0, 500_000, 0, -0.001, 5_400_000)
HEIGHT_PX, WIDTH_PX = 800, 900


def picture(*, collar: bool) -> NDArray[np.uint8]:
    """A road of 1.4 m with one crack along it, of which an image shows 0.9 m; (3, h, 1400)."""
    scene = clean_scene(HEIGHT_PX, 1400, seed=5, cracks=(crack(420, 40, 380, 1360, 6.0),))
    values = np.moveaxis(render_window(scene, 0, 0, HEIGHT_PX, 1400)[0], -1, 0).copy()
    if collar:
        row, col = np.indices(values.shape[1:])
        values[:, (row + col < 460) | (col > 740)] = 1
    return values


@pytest.fixture(scope="module")
def survey(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two images that overlap by 0.4 m; a collar hides the last 0.16 m of the first one."""
    folder = tmp_path_factory.mktemp("collars") / "survey"
    write(folder / "a.tif", PLACE, picture(collar=True)[:, :, :WIDTH_PX], compress="deflate", **TILES)
    write(folder / "b.tif", PLACE @ Affine.translation(500, 0), picture(collar=False)[:, :, 500:], **TILES)
    return folder


def run(survey: Path, out: Path, *, serial: bool = True, **config: Any) -> Path:
    # weights that see the whole of this drawn crack, whatever the default sees
    settings = Config(device="cpu", weights="lite-2025", **config)
    summary = story.run(Request((survey,), out, settings, serial=serial))
    assert summary.exit_code == 0
    return out


@pytest.fixture(scope="module")
def expected(survey: Path) -> Path:
    return run(survey, survey.parent / "expected")


def mask_of(out: Path, image_id: str) -> NDArray[np.uint8]:
    return np.asarray(zarr.open_group(out / "masks.zarr" / image_id, mode="r")["mask"][:])


def test_the_collar_is_not_inspected(expected: Path) -> None:
    row, col = np.indices((HEIGHT_PX, WIDTH_PX))
    hidden = mask_of(expected, "a.tif") == 255
    assert hidden[(row + col < 460) | (col > 740)].all()
    assert not hidden[(row + col > 464) & (col < 738)].any()


@pytest.mark.parametrize("block_cores", [1, 2])
def test_masks_and_tables_do_not_depend_on_blocks(survey: Path, expected: Path, block_cores: int) -> None:
    out = run(survey, survey.parent / f"blocks-{block_cores}", block_cores=block_cores, unit_tiles=1)
    for image_id in ("a.tif", "b.tif"):
        assert np.array_equal(mask_of(out, image_id), mask_of(expected, image_id))
    for table in ("cracks.parquet", "images.parquet"):
        assert pq.read_table(out / table).equals(pq.read_table(expected / table))


@pytest.mark.slow
def test_processes_and_small_units_give_the_same_bytes(survey: Path) -> None:
    serial = run(survey, survey.parent / "serial", block_cores=1)
    processes = run(survey, survey.parent / "processes", serial=False, workers=2, block_cores=1, unit_tiles=1)
    assert tree_hash(processes) == tree_hash(serial)


def test_a_run_killed_amid_a_collar_gives_the_same_bytes_when_it_is_resumed(
    survey: Path, tmp_path: Path
) -> None:
    """The image has nine blocks, most of them with a part of the collar."""
    small = {"block_cores": 1, "unit_tiles": 1}
    undisturbed, out = run(survey, tmp_path / "undisturbed", **small), tmp_path / "out"
    config = tmp_path / "crackpipe.toml"
    config.write_text("".join(f"{key} = {value}\n" for key, value in small.items()) + 'device = "cpu"\n')
    command = [sys.executable, "-m", "crackpipe", "run", survey, "--out", out, "--serial", "--config", config]
    with subprocess.Popen([*map(str, command)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        deadline = time.monotonic() + 240
        blocks = Output(out).staging("a.tif") / "blocks"
        while not list(blocks.glob("*-*[0-9]")):
            assert process.poll() is None, process.stderr and process.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.001)
        process.kill()
    assert 0 < len(list(blocks.glob("*-*[0-9]"))) < 9
    run(survey, out, **small)
    assert kit.published(out) == kit.published(undisturbed)
    assert not kit.litter(out)


def test_a_collar_takes_nothing_from_a_neighbour(expected: Path) -> None:
    """The crack of 1.3 m is counted once and whole, though the first image's collar covers it."""
    rows = pq.read_table(expected / "cracks.parquet").to_pylist()
    assert sum(row["length_m"] for row in rows) == pytest.approx(1.36, rel=0.04)


def test_a_collar_can_be_kept(survey: Path) -> None:
    out = run(survey, survey.parent / "kept", collar="keep")
    assert not (mask_of(out, "a.tif") == 255).any()


def test_windows_show_the_same_in_any_order(survey: Path) -> None:
    image = load_survey([survey], Config()).images[0]
    whole = Window(0, 0, HEIGHT_PX, WIDTH_PX)
    with ImageReader(image) as reader:
        expected = reader.read_with_reasons(whole)[1]
    for window in (Window(300, 300, 200, 300), Window(700, 800, 100, 100), Window(0, 0, 64, 64)):
        read._kept.clear()
        with ImageReader(image) as reader:
            assert np.array_equal(reader.read_with_reasons(window)[1], expected[window.within(whole)])

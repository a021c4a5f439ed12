"""An image that gets no memory, a clock that is wrong, and content that changes under an old time."""

import os
import shutil
import time
from pathlib import Path

import fault_kit as kit
import numpy as np
import pytest
import rasterio
from processes import begun, ended

from crackpipe.pipeline.config import Config
from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.operate import upkeep
from crackpipe.pipeline.raster.reader import ImageReader
from crackpipe.pipeline.request import Request
from crackpipe.pipeline.run import run
from crackpipe.pipeline.state import lock, markers
from crackpipe.pipeline.state.output import Output


def test_an_image_that_gets_no_memory_is_set_aside_and_no_other(
    frames: Path, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its pixels ask for more than any machine has; the failing allocation is a real one."""
    read = ImageReader.read

    def greedy(reader: ImageReader, window: Window) -> object:
        if reader.image.image_id == "lane0/0001.tif":
            np.empty(1 << 60, np.uint8)
        return read(reader, window)

    out = tmp_path / "out"
    request = Request((frames,), out, Config(), serial=True)
    with monkeypatch.context() as patch:
        patch.setattr(ImageReader, "read", greedy)
        summary = run(request)
    assert [(row["image_id"], row["reason"]) for row in summary.quarantined] == [
        ("lane0/0001.tif", "out-of-memory")
    ]
    assert summary.images_done == 3  # of four
    upkeep.retry_quarantined(out)
    assert run(request).images_run == 1
    assert kit.published(out) == kit.published(finished)


@pytest.mark.slow
def test_a_clock_that_is_set_back_changes_nothing_and_two_runs_do_not_meet(
    frames: Path, finished: Path, tmp_path: Path
) -> None:
    """A run that was killed a year from now is gone on with; beside a live one, the second is refused."""
    out = tmp_path / "out"
    shutil.copytree(finished, out)
    output = Output(out)
    with lock.locked(output, "later"):
        owner = (output.hidden / "owner.json").read_bytes()
        code, talk = ended(begun("run", frames, "--out", out, "--serial"))
        assert code == 75, talk
        assert f"process {os.getpid()}" in talk
    (output.hidden / "owner.json").write_bytes(owner)
    markers.unmark(output, "lane1/0002.tif")
    faults = kit.build_faults(tmp_path, tmp_path / "nothing")
    environment = {"LD_PRELOAD": str(faults.library), "FAULT_CLOCK": str(-365 * 86_400)}
    code, talk = ended(begun("run", frames, "--out", out, "--serial", **environment))
    assert code == 0, talk
    assert "1 in this run" in talk
    assert kit.published(out) == kit.published(finished)
    assert not kit.litter(out)
    year = time.gmtime(time.time() - 365 * 86_400).tm_year
    assert f'"finished": "{year}-' in (out / "run.json").read_text()  # the clock really was set back


def test_verified_inputs_are_known_by_their_content(frames: Path, tmp_path: Path) -> None:
    """With --verify-inputs a new time alone is nothing; a bit that flips under an old time is seen."""
    survey, out = tmp_path / "survey", tmp_path / "out"
    shutil.copytree(frames / "lane0", survey)
    verified = Request((survey,), out, Config(verify_inputs=True), serial=True)
    assert run(verified).images_run == 2
    assert run(verified).unchanged
    image = survey / "0000.tif"
    before = image.stat()
    os.utime(image, ns=(before.st_atime_ns, before.st_mtime_ns + 10**9))
    assert run(verified).unchanged
    content = bytearray(image.read_bytes())
    content[-40] ^= 1  # in the last block of pixels
    image.write_bytes(content)
    os.utime(image, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert run(Request((survey,), out, Config(), serial=True)).unchanged
    assert run(verified).images_run == 1


def test_verified_masks_are_known_by_their_content(frames: Path, tmp_path: Path) -> None:
    """As `test_verified_inputs_are_known_by_their_content`, of the mask that lies beside an image."""
    survey, out = tmp_path / "survey", tmp_path / "out"
    shutil.copytree(frames / "lane0", survey)
    image, mask = survey / "0000.tif", survey / "0000.tif.msk"
    with rasterio.open(image) as dataset:
        shape = {"height": dataset.height, "width": dataset.width}
    with rasterio.open(mask, "w", driver="GTiff", count=1, dtype="uint8", **shape) as dataset:
        dataset.write(np.full((1, *shape.values()), 255, np.uint8))
    verified = Request((survey,), out, Config(verify_inputs=True), serial=True)
    assert run(verified).images_run == 2
    before = mask.stat()
    os.utime(mask, ns=(before.st_atime_ns, before.st_mtime_ns + 10**9))
    assert run(verified).unchanged
    content = bytearray(mask.read_bytes())
    content[-40] = 0  # in the last row of pixels
    mask.write_bytes(content)
    os.utime(mask, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert run(Request((survey,), out, Config(), serial=True)).unchanged
    assert run(verified).images_run == 1

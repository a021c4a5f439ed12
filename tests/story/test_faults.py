"""Faults for real: workers that die, a scheduler that goes away, a full, read-only or inode-starved disk.

Short versions of the benches in `benchmarks/faults/`.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dask
import fault_kit as kit
import geopandas as gpd
import numpy as np
import pytest

from crackpipe.pipeline.cluster import local
from crackpipe.pipeline.config import Config
from crackpipe.pipeline.errors import SchedulerLostError
from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.operate import upkeep
from crackpipe.pipeline.raster.reader import ImageReader
from crackpipe.pipeline.request import Request
from crackpipe.pipeline.run import run
from crackpipe.pipeline.state import lock, markers
from crackpipe.pipeline.state.output import Output

SIZES = [(200, 200), (210, 200), (200, 220), (300, 500)]


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return kit.write_survey(tmp_path_factory.mktemp("frames") / "survey", SIZES)


@pytest.fixture(scope="module")
def finished(frames: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("undisturbed") / "out"
    run(Request((frames,), out, Config(), serial=True))
    return out


def start(*arguments: object, **environment: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "crackpipe", *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=os.environ | environment,
    )  # fmt: skip


def finish(process: "subprocess.Popen[str]", timeout_s: float = 240) -> tuple[int, str]:
    talk, _ = process.communicate(timeout=timeout_s)
    return process.returncode, talk


# ---- parts that die


@pytest.mark.dask
@pytest.mark.slow
def test_only_the_image_that_kills_its_worker_is_quarantined(tmp_path: Path) -> None:
    """Two images share a unit and two units a worker, so that the culprit takes neighbours down with it."""
    survey = kit.write_survey(tmp_path / "survey", [(140, 160)] * 8)
    culprit = "lane1/0002.tif"
    faults = kit.build_faults(tmp_path, tmp_path / "nothing")
    environment = {"LD_PRELOAD": str(faults.library), "FAULT_KILL": culprit}
    out = tmp_path / "out"
    code, talk = finish(start("run", survey, "--out", out, "--workers", 1, **environment))
    assert code == 3, talk
    images = gpd.read_parquet(out / "images.parquet").set_index("image_id")
    assert images.loc[culprit, "reason"] == "worker-died"
    assert (images.drop(index=culprit)["status"] == "done").all()
    assert not kit.litter(out)
    code, talk = finish(start("retry-quarantined", out, "--reason", "worker-died"))
    assert code == 0, talk
    for other in (out, tmp_path / "undisturbed"):
        run(Request((survey,), other, Config(), serial=True))
    assert kit.published(out) == kit.published(tmp_path / "undisturbed")


@pytest.fixture
def dask_processes(tmp_path: Path) -> Iterator[tuple[str, list["subprocess.Popen[bytes]"]]]:
    """Address, scheduler and one worker of a real Dask cluster."""
    address_file = tmp_path / "scheduler.json"
    dask = [sys.executable, "-m", "dask"]
    options = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(address_file)]
    processes = [subprocess.Popen([*dask, "scheduler", *options], stderr=subprocess.DEVNULL)]
    try:
        deadline, found = time.monotonic() + 60, None
        while found is None and time.monotonic() < deadline:
            text = address_file.read_text() if address_file.exists() else ""
            found = re.search(r"tcp://127\.0\.0\.1:\d+", text)
            time.sleep(0.1)
        assert found is not None
        worker = [*dask, "worker", found.group(), "--nthreads", "2", "--no-dashboard", "--host", "127.0.0.1"]
        worker += ["--local-directory", str(tmp_path)]
        processes.append(subprocess.Popen(worker, stderr=subprocess.DEVNULL))
        yield found.group(), processes
    finally:
        for process in processes:
            process.kill()
            process.wait()


@pytest.mark.dask
@pytest.mark.slow
def test_a_lost_scheduler_ends_the_run_with_69_and_it_can_be_resumed(
    frames: Path,
    finished: Path,
    tmp_path: Path,
    dask_processes: tuple[str, list["subprocess.Popen[bytes]"]],
) -> None:
    address, (scheduler, _) = dask_processes
    out = tmp_path / "out"
    process = start("run", frames, "--out", out, "--scheduler", address, CRACKPIPE_UNIT_TILES="1")
    deadline = time.monotonic() + 280
    while not list((out / ".crackpipe" / "staging").glob("*/blocks/*-*")):
        assert process.poll() is None, finish(process)
        assert time.monotonic() < deadline
        time.sleep(0.01)
    scheduler.kill()
    killed = time.monotonic()
    code, talk = finish(process)
    assert code == 69, talk
    assert "run the same command again" in talk
    assert "Traceback" not in talk, talk
    assert time.monotonic() - killed < 120
    run(Request((frames,), out, Config(), serial=True))
    assert kit.published(out) == kit.published(finished)
    assert not kit.litter(out)


# ---- disks


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A mounted tmpfs; needs root."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("mounting a tmpfs needs root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def remount(folder: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)


@pytest.mark.parametrize(
    ("starved", "code"),
    [
        ("full", 74),
        pytest.param("out of inodes", 74, marks=pytest.mark.slow),
        ("read-only", 73),
    ],
    ids=str,
)
def test_a_disk_that_takes_no_more_leaves_the_earlier_output_intact(
    frames: Path, finished: Path, small_disk: Path, starved: str, code: int
) -> None:
    """The earlier output has one image less."""
    out = small_disk / "out"
    some = sorted(frames.rglob("*.tif"))
    request = Request((frames,), out, Config(), serial=True)
    hidden = some[-1].rename(some[-1].with_suffix(".away"))
    try:
        run(request)
    finally:
        hidden.rename(some[-1])
    before = kit.published(out)
    use = os.statvfs(small_disk)
    options = {
        "full": f"size={(use.f_blocks - use.f_bfree) * use.f_frsize + 32_768}",
        "out of inodes": f"nr_inodes={use.f_files - use.f_ffree + 12}",
        "read-only": "ro",
    }
    remount(small_disk, options[starved])
    result = subprocess.run(
        [sys.executable, "-m", "crackpipe", "run", frames, "--out", out, "--serial"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == code, result.stderr
    assert "Traceback" not in result.stderr
    now = kit.published(out)
    assert {name: now.get(name) for name in before} == before
    remount(small_disk, "rw,size=4m,nr_inodes=4096")
    run(request)
    assert kit.published(out) == kit.published(finished)
    assert not kit.litter(out)


# ---- memory, clocks, two at once


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
    assert summary.images_done == len(SIZES) - 1
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
        code, talk = finish(start("run", frames, "--out", out, "--serial"))
        assert code == 75, talk
        assert f"process {os.getpid()}" in talk
    (output.hidden / "owner.json").write_bytes(owner)
    markers.unmark(output, "lane1/0002.tif")
    faults = kit.build_faults(tmp_path, tmp_path / "nothing")
    environment = {"LD_PRELOAD": str(faults.library), "FAULT_CLOCK": str(-365 * 86_400)}
    code, talk = finish(start("run", frames, "--out", out, "--serial", **environment))
    assert code == 0, talk
    assert "1 in this run" in talk
    assert kit.published(out) == kit.published(finished)
    assert not kit.litter(out)
    year = time.gmtime(time.time() - 365 * 86_400).tm_year
    assert f'"finished": "{year}-' in (out / "run.json").read_text()  # the clock really was set back


ENDS_ON_A_FAILING_DISK = """
import os, struct, sys
from pathlib import Path
from crackpipe.pipeline import errors
from crackpipe.pipeline.state import lock
from crackpipe.pipeline.state.output import Output

output = Output(Path(sys.argv[1]))
output.create()
try:
    with lock.locked(output, "run"):
        Path(os.environ["FAULT_STATE"]).open("r+b").write(struct.pack("4q", 0, 1, 5, 1))
except errors.StorageError as error:
    print(error)
"""


def test_a_disk_that_fails_at_the_very_end_is_no_defect(tmp_path: Path) -> None:
    out = tmp_path / "out"
    faults = kit.build_faults(tmp_path, out)
    result = subprocess.run(
        [sys.executable, "-c", ENDS_ON_A_FAILING_DISK, out],
        env=os.environ | faults.environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "owner.json failed: Input/output error" in result.stdout, result.stderr


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


@pytest.mark.slow
def test_some_failing_writes_end_with_74_and_lose_nothing() -> None:
    bench = Path(kit.__file__).with_name("writes.py")
    result = subprocess.run(
        [sys.executable, bench, "--step", "150"], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "0 wrong" in result.stdout


@contextmanager
def killing_workers_that_start(times: int) -> Iterator[list[int]]:
    """Kill the first so many worker processes as soon as they are there."""
    killed: list[int] = []
    over = threading.Event()

    def kill() -> None:
        while len(killed) < times and not over.wait(0.01):
            for pid in set(kit.workers_of(os.getpid())) - set(killed):
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield killed
    finally:
        over.set()
        thread.join()


@pytest.mark.dask
@pytest.mark.slow
def test_a_worker_that_dies_while_it_starts_is_started_again() -> None:
    with killing_workers_that_start(1) as killed, local.local_cpu(1, 1) as client:
        assert client.submit(os.getpid, pure=False).result(timeout=60) not in killed
        assert killed


@pytest.mark.dask
@pytest.mark.slow
def test_workers_that_never_start_end_the_run_with_69() -> None:
    with (
        killing_workers_that_start(1000) as killed,
        pytest.raises(SchedulerLostError, match=r"died while they started.*fewer --workers"),
        local.local_cpu(1, 1),
    ):
        pass
    assert len(killed) >= 3


@pytest.mark.dask
@pytest.mark.slow
def test_workers_that_are_gone_for_good_are_started_again() -> None:
    with dask.config.set({"distributed.deploy.lost-worker-timeout": "1s"}), local.local_cpu(1, 1) as client:
        (lost,) = client.run(os.getpid).values()
        client.retire_workers(close_workers=True, remove=True)  # its nanny goes with it
        assert client.submit(os.getpid, pure=False).result(timeout=60) != lost

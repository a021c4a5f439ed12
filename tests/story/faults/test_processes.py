"""Processes that die for real: workers, at any time, and the scheduler."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dask
import fault_kit as kit
import geopandas as gpd
import pytest
from processes import begun, ended, wait_for_a_block
from processes.cluster import Cluster

from crackpipe.pipeline.cluster import local
from crackpipe.pipeline.config import Config
from crackpipe.pipeline.errors import SchedulerLostError
from crackpipe.pipeline.request import Request
from crackpipe.pipeline.run import run


@pytest.mark.dask
@pytest.mark.slow
def test_only_the_image_that_kills_its_worker_is_quarantined(tmp_path: Path) -> None:
    """Two images share a unit and two units a worker, so that the culprit takes neighbours down with it."""
    survey = kit.write_survey(tmp_path / "survey", [(140, 160)] * 8)
    culprit = "lane1/0002.tif"
    faults = kit.build_faults(tmp_path, tmp_path / "nothing")
    environment = {"LD_PRELOAD": str(faults.library), "FAULT_KILL": culprit}
    out = tmp_path / "out"
    code, talk = ended(begun("run", survey, "--out", out, "--workers", 1, **environment))
    assert code == 3, talk
    images = gpd.read_parquet(out / "images.parquet").set_index("image_id")
    assert images.loc[culprit, "reason"] == "worker-died"
    assert (images.drop(index=culprit)["status"] == "done").all()
    assert not kit.litter(out)
    code, talk = ended(begun("retry-quarantined", out, "--reason", "worker-died"))
    assert code == 0, talk
    for other in (out, tmp_path / "undisturbed"):
        run(Request((survey,), other, Config(), serial=True))
    assert kit.published(out) == kit.published(tmp_path / "undisturbed")


@pytest.mark.dask
@pytest.mark.slow
def test_a_lost_scheduler_ends_the_run_with_69_and_it_can_be_resumed(
    frames: Path, finished: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with Cluster(tmp_path) as cluster:
        cluster.add_worker("only")
        options = ("--out", out, "--scheduler", cluster.address)
        process = begun("run", frames, *options, CRACKPIPE_UNIT_TILES="1")
        wait_for_a_block(out, process)
        cluster.scheduler.kill()
        killed = time.monotonic()
        code, talk = ended(process)
        assert time.monotonic() - killed < 120
    assert code == 69, talk
    assert "run the same command again" in talk
    assert "Traceback" not in talk, talk
    run(Request((frames,), out, Config(), serial=True))
    assert kit.published(out) == kit.published(finished)
    assert not kit.litter(out)


# ---- workers that never were, or are no more


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

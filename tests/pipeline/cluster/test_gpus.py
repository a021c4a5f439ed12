"""Processes that run the network and processes that trace: real ones, whose device is the CPU."""

import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import dask
import psutil
import pytest
from helpers import tree_hash

from crackpipe.pipeline import plan, run
from crackpipe.pipeline.cluster import gpus, local
from crackpipe.pipeline.config import Config
from crackpipe.pipeline.console.watch import Watch
from crackpipe.pipeline.errors import SchedulerLostError
from crackpipe.pipeline.execute import execute_on
from crackpipe.pipeline.publish import Summary, refresh_tables
from crackpipe.pipeline.request import Request, make_job
from crackpipe.pipeline.state import lock
from crackpipe.pipeline.tasks import stages


@pytest.fixture
def five_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "cpu_count", lambda: 5)


@pytest.mark.parametrize(
    ("cores", "config", "tracing"),
    [
        (16, {"gpus": 1}, 12),
        (16, {"gpus": 3}, 4),
        (4, {"gpus": 1}, 0),
        (16, {}, 0),
        (16, {"gpus": 2, "scheduler": "tcp://10.0.0.1:8786"}, 0),
    ],
)
def test_cores_that_the_gpus_leave_are_for_tracing(
    monkeypatch: pytest.MonkeyPatch, cores: int, config: dict[str, Any], tracing: int
) -> None:
    monkeypatch.setattr(local, "cpu_count", lambda: cores)
    assert gpus.tracing_processes(Config(**config)) == tracing


@pytest.mark.parametrize(
    ("tracing", "half_mib", "each_mib", "fitting", "limit_mib"),
    [
        (28, 14_400, 760, 14, 1028),  # of 32 cores and 32 GB: 28 had 514 each
        (3, 14_400, 760, 3, 4800),  # memory for more: cores decide
        (28, 500, 760, 1, 1000),  # one there must be; with all it may need
        (0, 14_400, 760, 0, 14_400),
        (4, 4000, 0, 4, 1000),
    ],
)
def test_no_process_that_traces_has_less_than_it_needs(
    tracing: int, half_mib: int, each_mib: int, fitting: int, limit_mib: int
) -> None:
    """A process is ended at 95 % of its limit; by then it may have taken 1.25 times what is projected."""
    assert gpus.with_room(tracing, half_mib << 20, each_mib << 20) == (
        fitting,
        pytest.approx(limit_mib << 20, rel=1e-3),
    )


def spent_on(client: Any, address: str) -> dict[str, float]:
    (spent,) = client.run(stages.spent, workers=[address]).values()
    return {name: each.wall_s for name, each in spent.items()}


@pytest.mark.dask
@pytest.mark.slow
@pytest.mark.usefixtures("five_cores")
def test_units_and_traces_each_have_their_processes(survey: Path, tmp_path: Path) -> None:
    """Also when the one that traces dies; the result is that of one process."""
    settings = Config(block_cores=1, unit_tiles=1)
    run.run(Request((survey,), tmp_path / "serial", settings, serial=True))
    request = Request((survey,), tmp_path / "out", settings)
    of_a_gpu = replace(settings, gpus=1)  # the request itself would be refused where there is none
    with gpus.processes([{}], gpus.tracing_processes(of_a_gpu), threads=1) as client:
        (network,) = gpus.running_the_network(client)
        (tracing,) = set(client.nthreads()) - {network}
        os.kill(client.run(os.getpid, workers=[tracing])[tracing], signal.SIGKILL)
        client.wait_for_workers(2, timeout=60)

        def execute(tasks: Any, on_result: Any) -> Any:
            return execute_on(client, tasks, on_result)

        job = make_job(request)
        made = plan.make_plan(request, replace(job, config=of_a_gpu), plan.look_at(request))
        summary = Summary()
        made.job.output.create()
        with lock.locked(job.output, job.run):
            run.prepare(made)
            run.work(request, made, execute, summary, Watch(lambda progress: None))
            refresh_tables(made, summary)
        (network,) = gpus.running_the_network(client)
        (tracing,) = set(client.nthreads()) - {network}
        on_network, on_tracing = spent_on(client, network), spent_on(client, tracing)
    assert on_network["computing"] > 0.0
    assert on_network["tracing"] == 0.0
    assert on_tracing["tracing"] > 0.0
    assert on_tracing["computing"] == on_tracing["decoding"] == 0.0
    assert tree_hash(tmp_path / "out") == tree_hash(tmp_path / "serial")


@pytest.mark.dask
@pytest.mark.slow
def test_a_process_sees_the_device_of_its_environment_alone() -> None:
    with gpus.processes([{"CUDA_VISIBLE_DEVICES": "7"}], tracing=1, threads=1) as client:
        seen = client.run(os.getenv, "CUDA_VISIBLE_DEVICES")
        (network,) = gpus.running_the_network(client)
        assert seen.pop(network) == "7"
        assert list(seen.values()) == [""]


@pytest.mark.dask
@pytest.mark.slow
def test_all_that_trace_share_half_of_the_memory() -> None:
    with gpus.processes([{}], tracing=3, threads=1) as client:
        limits = [about["memory_limit"] for about in client.scheduler_info()["workers"].values()]
    half = 0.45 * psutil.virtual_memory().total
    assert sorted(limits) == pytest.approx([half / 3] * 3 + [half], rel=1e-6)


@pytest.mark.dask
@pytest.mark.slow
def test_processes_of_a_kind_that_are_gone_for_good_end_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a sentence, not as a defect."""
    monkeypatch.setattr("crackpipe.pipeline.cluster.settings.NO_WORKERS_S", 1)
    with dask.annotate(resources={gpus.TRACING: 1}):
        task = dask.delayed(int)(7)
    with (
        gpus.processes([{}], tracing=0, threads=1) as client,
        pytest.raises(SchedulerLostError, match="for 1 s there was no process for tasks that need `tracing`"),
    ):
        execute_on(client, [task], print)

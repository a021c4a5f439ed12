"""A cluster whose workers come and go."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from helpers import tree_hash
from processes.cluster import Cluster

from crackpipe.pipeline import plan, run
from crackpipe.pipeline.config import Config
from crackpipe.pipeline.errors import StorageError
from crackpipe.pipeline.request import Request, make_job
from crackpipe.pipeline.tasks import unit as inspect_unit


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with Cluster(tmp_path) as started:
        yield started


def wait_until(true: Callable[[], object], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.dask
@pytest.mark.slow
def test_same_bytes_when_workers_come_and_go(survey: Path, tmp_path: Path, cluster: Cluster) -> None:
    """One worker begins, another comes while units are done, the first is retired before the end."""
    config = {"unit_tiles": 1, "block_cores": 1}
    run.run(Request((survey,), tmp_path / "serial", Config(**config), serial=True))  # type: ignore[arg-type]
    cluster.add_worker("first")
    out = tmp_path / "out"
    failed: list[BaseException] = []

    def work() -> None:
        try:
            run.run(Request((survey,), out, Config(scheduler=cluster.address, **config)))  # type: ignore[arg-type]
        except BaseException as error:
            failed.append(error)
            raise

    running = threading.Thread(target=work)
    running.start()
    wait_until(lambda: failed or list((out / ".crackpipe" / "staging").glob("*/blocks/*-*")))
    cluster.add_worker("second")
    wait_until(lambda: failed or len(cluster.client.scheduler_info(n_workers=-1)["workers"]) == 2)
    assert running.is_alive()
    names = {each["name"]: address for address, each in workers_of(cluster).items()}
    cluster.client.retire_workers([names["first"]])
    left = list(workers_of(cluster).values())
    assert [each["name"] for each in left] == ["second"]
    running.join(200)
    assert not failed
    assert tree_hash(out) == tree_hash(tmp_path / "serial")


def workers_of(cluster: Cluster) -> dict[str, dict[str, str]]:
    return dict(cluster.client.scheduler_info(n_workers=-1)["workers"])


def test_a_worker_without_the_storage_ends_the_run_instead_of_rejecting_images(
    survey: Path, tmp_path: Path
) -> None:
    """What a worker that came late sees whose machine has not mounted the survey, or the output."""
    request = Request((survey,), tmp_path / "out", Config(), serial=True)
    job = make_job(request)
    job.output.create()
    found = plan.look_at(request)
    made = plan.make_plan(request, job, found)
    [unit, *_] = plan.units_of(request, made, made.images)
    images = {image.image_id: image for image in made.images}
    elsewhere = tmp_path / "not-mounted"
    survey.rename(elsewhere)
    try:
        with pytest.raises(StorageError, match=r"does not see .*survey.*mount"):
            inspect_unit.inspect_unit(job, images, unit)
    finally:
        elsewhere.rename(survey)

"""A driver that is another kind of machine than the workers; real ones, on this machine."""

import logging
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from unittest.mock import Mock

import pytest
from processes.cluster import Cluster

from crackpipe.model.predict import resolve
from crackpipe.model.weights import folder
from crackpipe.pipeline import fingerprint
from crackpipe.pipeline.cluster import scheduler
from crackpipe.pipeline.cluster.workers import Wanted
from crackpipe.pipeline.config import Config
from crackpipe.pipeline.errors import ConfigurationError
from crackpipe.pipeline.request import Request, make_job

WITH_A_GPU = """
import torch
from crackpipe.model.predict import resolve
from crackpipe.model.weights import folder

resolve._torch_knows_gpus = lambda: True
torch.cuda.is_available = lambda: True
torch.cuda.device_count = lambda: 1
torch.cuda.get_device_capability = lambda device: (9, 0)
"""
"""What a worker runs at its start, so that its torch says what one with a GPU would."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One worker with a GPU, and with more task threads than a run of its own would give it."""
    here = tmp_path_factory.mktemp("cluster")
    (here / "gpu.py").write_text(WITH_A_GPU)
    with Cluster(here) as started:
        started.add_worker("gpu", "--preload", str(here / "gpu.py"), threads=3)
        started.client.wait_for_workers(1, timeout=120)
        yield started


def planned(tmp_path: Path, address: str, **keys: str | int) -> tuple[str, str]:
    """Device and precision in the fingerprint."""
    config = Config(scheduler=address, **keys)  # type: ignore[arg-type]
    made = fingerprint.of_job(make_job(Request((tmp_path,), tmp_path / "out", config)))
    return made["device"], made["precision"]


@pytest.mark.dask
@pytest.mark.slow
@pytest.mark.parametrize("keys", [{}, {"device": "cuda"}, {"gpus": 1}], ids=["auto", "cuda", "gpus"])
def test_workers_with_gpus_need_none_in_the_driver(
    tmp_path: Path, cluster: Cluster, keys: dict[str, str | int]
) -> None:
    assert planned(tmp_path, cluster.address, **keys) == ("cuda", "bf16")


def test_the_driver_asks_workers_and_not_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client = Mock()
    client.run.return_value = {"tcp://a:1": ("cuda", "bf16"), "tcp://b:1": ("cuda", "bf16")}
    monkeypatch.setattr(scheduler, "_connected", lambda address: nullcontext(client))
    assert planned(tmp_path, "tcp://h:1", device="cuda") == ("cuda", "bf16")
    client.run.assert_called_once_with(resolve.device_and_precision, "cuda", "auto", on_error="return")


def test_words_that_leave_nothing_open_need_no_scheduler(tmp_path: Path) -> None:
    assert planned(tmp_path, "tcp://127.0.0.1:9", device="cuda", precision="bf16") == ("cuda", "bf16")


def test_what_this_thread_does_it_resolves_itself(tmp_path: Path) -> None:
    config = Config(scheduler="tcp://127.0.0.1:9", precision="fp32")
    job = make_job(Request((tmp_path,), tmp_path / "out", config, serial=True))
    assert (job.device, job.precision) == resolve.device_and_precision("auto", "fp32")


@pytest.mark.dask
@pytest.mark.slow
def test_weights_that_a_worker_does_not_find_end_the_run(tmp_path: Path, cluster: Cluster) -> None:
    wanted = Wanted(
        shared=(tmp_path,), weights="/mine/w.safetensors", weights_sha256="00", device="cpu", precision="fp32"
    )
    with (
        pytest.raises(ConfigurationError, match=r"worker tcp://\S+ cannot read weights /mine/w.safetensors"),
        scheduler.existing(cluster.address, wanted),
    ):
        pass
    assert not list(tmp_path.iterdir())  # nor does the probe stay


# ---- task threads


@pytest.mark.dask
@pytest.mark.slow
def test_more_task_threads_than_units_in_flight_are_said(
    tmp_path: Path, cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    _, sha256, _ = folder.read("lite")
    wanted = Wanted(
        shared=(tmp_path,), weights="lite", weights_sha256=sha256, device="cuda", precision="bf16"
    )
    with caplog.at_level(logging.WARNING, "crackpipe"), scheduler.existing(cluster.address, wanted):
        pass
    (line,) = [each.message for each in caplog.records]
    assert line.startswith("1 of 1 workers have more than 2 task threads (tcp://127.0.0.1:")
    assert line.endswith(f"`dask worker {cluster.address} --nthreads 2`.")


@pytest.mark.parametrize(
    ("threads", "said"),
    [((2, 1), []), ((2, 16), ["1 of 2 workers have more than 2 task threads (tcp://1:1 has 16)"])],
)
def test_two_task_threads_are_as_they_should_be(
    threads: tuple[int, ...], said: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "crackpipe"):
        scheduler._check_threads("tcp://s:1", {f"tcp://{index}:1": n for index, n in enumerate(threads)})
    assert [each.message.partition(" and hold")[0] for each in caplog.records] == said


# ---- TLS


@pytest.mark.parametrize(
    ("ca_file", "words"),
    [(None, "asks for a certificate, and there is none"), ("gone.pem", "cannot be read .*No such file")],
)
def test_tls_without_a_certificate_says_how_to_get_one(ca_file: str | None, words: str) -> None:
    import dask

    files = {"ca-file": ca_file, "client.cert": ca_file, "client.key": ca_file}
    settings = {f"distributed.comm.tls.{name}": file for name, file in files.items()}
    with (
        dask.config.set(settings),
        pytest.raises(ConfigurationError, match=f"{words}.*DASK_DISTRIBUTED__COMM__TLS__CLIENT__KEY"),
    ):
        scheduler.device_and_precision("tls://127.0.0.1:9", "auto", "auto")

"""One network per process."""

import gc
import weakref
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from crackpipe.pipeline.config import Config
from crackpipe.pipeline.errors import ConfigurationError
from crackpipe.pipeline.request import Request, make_job
from crackpipe.pipeline.state.output import Output
from crackpipe.pipeline.tasks import network
from crackpipe.pipeline.tasks.job import Job


@pytest.fixture
def job(tmp_path: Path) -> Iterator[Job]:
    made = make_job(Request((tmp_path,), tmp_path / "out", Config(device="cpu", precision="fp32")))
    with network.threads_of(made):  # loading a network sets them for the whole process
        yield made


def test_threads_are_given_back(job: Job) -> None:
    two = replace(job, config=replace(job.config, threads_per_worker=2))
    before = torch.get_num_threads()
    with network.threads_of(two):
        assert torch.get_num_threads() == 2
    assert torch.get_num_threads() == before


def test_it_is_loaded_once_whatever_the_output(job: Job, tmp_path: Path) -> None:
    elsewhere = replace(job, output=Output(tmp_path / "elsewhere"), run="another")
    assert network.predictor_of(job) is network.predictor_of(elsewhere)


def test_the_last_one_is_gone_before_the_next_is_loaded(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU has no room for both: the one with smaller batches comes when memory was short."""
    last = weakref.ref(network.predictor_of(job))
    smaller = replace(job, config=replace(job.config, batch=4))
    load = network._load
    there: list[object] = []
    monkeypatch.setattr(network, "_load", lambda job: (there.append(last()), load(job))[1])
    gc.disable()
    try:
        network.predictor_of(smaller)
    finally:
        gc.enable()
    assert there == [None]


def test_other_weights_than_planned_are_refused(job: Job) -> None:
    with pytest.raises(ConfigurationError, match=r"SHA-256 .* planned with 00"):
        network.predictor_of(replace(job, weights_sha256="00"))


def test_what_this_machine_cannot_run_names_it(job: Job) -> None:
    with pytest.raises(ConfigurationError, match=r"a worker on .* as planned: .*cuda:7"):
        network.predictor_of(replace(job, device="cuda:7"))


def test_weights_that_this_machine_does_not_find_name_it_and_them(job: Job) -> None:
    with pytest.raises(
        ConfigurationError, match=r"a worker on .* cannot read weights /gone/w\.safetensors: "
    ):
        network.predictor_of(replace(job, weights="/gone/w.safetensors"))

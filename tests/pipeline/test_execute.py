"""How many workers a run takes: planted control groups, and what is said."""

import logging
import re
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from crackpipe.model.predict import resolve
from crackpipe.pipeline import execute, fingerprint
from crackpipe.pipeline.cluster import gpus, limits, local
from crackpipe.pipeline.config import Config
from crackpipe.pipeline.errors import MemoryShortError
from crackpipe.pipeline.execute import executor, fitted
from crackpipe.pipeline.image import SurveyImage
from crackpipe.pipeline.plan import look_at
from crackpipe.pipeline.request import Request, make_job
from crackpipe.pipeline.tasks.job import Job
from crackpipe.pipeline.tasks.need import of_tracing

MIB = 1 << 20


@pytest.fixture(scope="module")
def images(survey: Path) -> list[SurveyImage]:
    """A long strip of 6144 px, of which no pixel is read here."""
    (image, *_) = look_at(Request((survey,), survey.parent / "out", Config())).images
    return [replace(image, height_px=60_000, width_px=6144)]


@pytest.fixture
def group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A control group of this process alone, planted."""
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text("0::/\n")
    (tmp_path / "proc/self/mountinfo").write_text("31 24 0:27 / /group rw - cgroup2 cgroup2 rw\n")
    (tmp_path / "group").mkdir()
    (tmp_path / "group/cpu.max").write_text("max 100000\n")
    monkeypatch.setattr(limits, "memory", partial(limits.memory, tmp_path))
    monkeypatch.setattr(limits, "cores", partial(limits.cores, tmp_path))
    return tmp_path / "group"


def give(group: Path, mib: int) -> None:
    """So much memory beside what this process, with all that the tests have imported, has already."""
    (group / "memory.max").write_text(f"{mib * MIB}\n")
    (group / "memory.current").write_text("0\n")


def asked(**keys: object) -> tuple[Request, Job]:
    config = Config(**({"device": "cpu", "precision": "fp32"} | keys))  # type: ignore[arg-type]
    request = Request((), Path("out"), config)
    return request, make_job(request)


def test_what_fits_is_taken(group: Path, images: list[SurveyImage]) -> None:
    give(group, 6000)
    request, job = asked(workers=2)
    assert fitted(request, job, images) == request


def test_by_default_there_is_a_worker_for_each_core_that_may_be_used(
    group: Path, images: list[SurveyImage]
) -> None:
    give(group, 6000)
    request, job = asked()
    for quota, workers in ((20_000, 1), (100_000, 1)):
        (group / "cpu.max").write_text(f"{quota} 100000\n")
        assert fitted(request, job, images).config.workers == workers


def test_fewer_workers_are_taken_and_said(
    group: Path, images: list[SurveyImage], caplog: pytest.LogCaptureFixture
) -> None:
    give(group, 2500)
    request, job = asked(workers=16)
    with caplog.at_level(logging.WARNING, "crackpipe"):
        taken = fitted(request, job, images).config.workers
    assert taken is not None
    assert 1 <= taken <= 3
    (line,) = [each.message for each in caplog.records if each.levelno == logging.WARNING]
    assert re.fullmatch(
        rf"{taken} instead of 16 workers: so many are projected to need [\d,]+ MiB of memory, but [\d,]+ MiB "
        r"may be used \(cgroup memory.max\)",
        line,
    )


def test_where_not_one_worker_fits_the_run_is_refused(group: Path, images: list[SurveyImage]) -> None:
    give(group, 100)
    for serial in (False, True):
        request, job = asked()
        with pytest.raises(MemoryShortError) as refused:
            fitted(replace(request, serial=serial), job, images)
        assert refused.value.exit_code == 71
        assert re.fullmatch(
            r"a run of one worker is projected to need [\d,]+ MiB of memory for these images, but [\d,]+ MiB "
            r"may be used \(cgroup memory.max\). Free some memory, or let it have [\d,]+ MiB, and run again.",
            str(refused.value),
        )


def refused_from(group: Path, images: list[SurveyImage], **keys: object) -> str:
    """The sentence of the largest memory, in steps, with which the run is refused."""
    request, job = asked(**keys)
    for mib in range(3000, 100, -50):
        give(group, mib)
        try:
            fitted(request, job, images)
        except MemoryShortError as error:
            return str(error)
    raise AssertionError("never refused")


def test_a_remedy_works_when_followed(group: Path, images: list[SurveyImage]) -> None:
    said = refused_from(group, images, block_cores=16)
    smaller = re.search(r"take `block_cores = (\d+)`", said)
    assert smaller is not None
    request, job = asked(block_cores=int(smaller[1]))
    assert fitted(request, job, images).config.workers == 1
    more = re.search(r"let it have ([\d,]+) MiB", said)
    assert more is not None
    may = re.search(r"but ([\d,]+) MiB may be used", said)
    assert may is not None
    given = int((group / "memory.max").read_text()) // MIB
    give(group, given + 1 + int(more[1].replace(",", "")) - int(may[1].replace(",", "")))
    request, job = asked(block_cores=16)
    assert fitted(request, job, images).config.workers == 1


def test_openvino_is_given_up_before_smaller_blocks(group: Path, images: list[SurveyImage]) -> None:
    pytest.importorskip("openvino")
    said = refused_from(group, images, precision="openvino-fp32")
    assert "Either take `--precision fp32`, or let it have" in said


def test_the_full_network_may_need_two_changes(group: Path, images: list[SurveyImage]) -> None:
    request, job = asked(block_cores=16)
    full = replace(job, architecture="context-cracknet", weights="/full.safetensors", weights_name="full")
    lite_alone = refused_from(group, images, block_cores=16)
    assert "--weights" not in lite_alone  # with as much memory as lite needs in smaller blocks
    with pytest.raises(MemoryShortError, match=r"take `block_cores = \d+` in .* and `--weights lite`, or"):
        fitted(request, full, images)


def test_workers_elsewhere_are_not_looked_at(group: Path, images: list[SurveyImage]) -> None:
    give(group, 1)
    request, job = asked(scheduler="tcp://10.0.0.1:8786")
    assert fitted(request, job, images) == request


@pytest.mark.parametrize(
    ("keys", "serial", "place"),
    [
        ({}, False, "gpus 1"),
        ({"device": "cuda"}, False, "gpus 1"),
        ({"workers": 3}, False, "workers 3"),
        ({}, True, "here"),
    ],
)
def test_a_gpu_that_was_found_gets_one_process_and_not_one_for_each_core(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, keys: Any, serial: bool, place: str
) -> None:
    monkeypatch.setattr(resolve, "device_and_precision", lambda *_: ("cuda", "bf16"))
    places = ["here"] if serial else []

    def on_gpus(config: Config, tracing_bytes: int) -> AbstractContextManager[None]:
        assert tracing_bytes == of_tracing(job)
        places.append(f"gpus {config.gpus}")
        return nullcontext()

    def on_cores(workers: int, *_: Any) -> AbstractContextManager[None]:
        places.append(f"workers {workers}")
        return nullcontext()

    monkeypatch.setattr(gpus, "local_gpus", on_gpus)
    monkeypatch.setattr(local, "local_cpu", on_cores)
    request = Request((), Path("out"), Config(**keys), serial=serial)
    with caplog.at_level(logging.INFO, "crackpipe"):
        job = make_job(request)
    with executor(request, job):
        assert places == [place]
    assert ("cuda (one GPU; --gpus N takes more)" in caplog.text) == (place == "gpus 1")
    assert fingerprint.of_job(job) == fingerprint.of_job(replace(job, config=request.config))


@pytest.mark.parametrize(
    ("keys", "remedy"),
    [({"workers": 2}, "Fewer --workers leave"), ({"gpus": 1}, "Fewer cores, as with `taskset`, make fewer")],
)
def test_the_remedy_for_a_process_that_died_has_an_effect_where_the_run_works(
    monkeypatch: pytest.MonkeyPatch, keys: Any, remedy: str
) -> None:
    """With GPUs --workers has none."""
    monkeypatch.setattr(gpus, "local_gpus", lambda *_: nullcontext())
    monkeypatch.setattr(local, "local_cpu", lambda *_: nullcontext())
    monkeypatch.setattr(
        execute, "execute_on", lambda *given: [execute._left_out(OSError("killed"), *given[3:])]
    )
    request, job = asked()
    config = replace(request.config, **keys)
    with executor(replace(request, config=config), replace(job, config=config)) as run:
        (error,) = run([], print)
    assert error.reason == "worker-died"
    assert error.remedy.startswith(remedy)

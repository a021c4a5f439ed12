"""What memory a run is projected to need: what makes it more or less, and sums that can be checked by eye.

That it is right is measured by `benchmarks/faults/projected_memory.py`.
"""

from dataclasses import replace
from pathlib import Path

import pytest

from crackpipe.pipeline.config import Config
from crackpipe.pipeline.image import SurveyImage
from crackpipe.pipeline.plan import look_at
from crackpipe.pipeline.request import Request, make_job
from crackpipe.pipeline.tasks.job import Job
from crackpipe.pipeline.tasks.need import MIB, Need, need_of, of_tracing


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Job:
    return make_job(Request((), tmp_path_factory.mktemp("out"), Config(device="cpu", precision="fp32")))


@pytest.fixture(scope="module")
def image(survey: Path) -> SurveyImage:
    """1500 x 380 px, 1 mm/px."""
    asked = Request((survey,), survey.parent / "out", Config())
    return next(each for each in look_at(asked).images if each.image_id == "lane2/strip.tif")


def of_size(image: SurveyImage, height_px: int, width_px: int, driver: str = "GTiff") -> SurveyImage:
    return replace(image, height_px=height_px, width_px=width_px, driver=driver)


def with_blocks(job: Job, block_cores: int) -> Job:
    return replace(job, config=replace(job.config, block_cores=block_cores))


def test_larger_blocks_need_more(job: Job, image: SurveyImage) -> None:
    strip = of_size(image, 60_000, 6144)
    needs = [need_of(with_blocks(job, cores), [strip]).worker for cores in (4, 8, 16)]
    assert needs == sorted(needs)
    # at least one block more of 12 x 12 cores: pixels, reasons and probability, 5 bytes each
    assert needs[2] - needs[1] > 5 * (16**2 - 8**2) * 384**2


def test_a_longer_strip_needs_no_more(job: Job, image: SurveyImage) -> None:
    needs = [need_of(job, [of_size(image, length_px, 4000)]) for length_px in (50_000, 5_000_000)]
    assert needs[0] == needs[1]


def test_the_image_that_needs_most_counts(job: Job, image: SurveyImage) -> None:
    frames, strip = [of_size(image, 900, 700)] * 50, of_size(image, 60_000, 4000)
    assert need_of(job, frames).worker < need_of(job, [strip]).worker == need_of(job, [*frames, strip]).worker


def test_a_jpeg_is_kept_as_a_whole_while_it_is_small(job: Job, image: SurveyImage) -> None:
    """4 bytes per pixel, for each of two threads."""
    size = 4000, 6000
    tiff, jpeg = (need_of(job, [of_size(image, *size, driver)]).worker for driver in ("GTiff", "JPEG"))
    assert jpeg - tiff == 2 * 4 * 4000 * 6000
    large = 10_000, 10_000
    assert need_of(job, [of_size(image, *large, "JPEG")]) == need_of(job, [of_size(image, *large)])


def test_networks_in_order_of_their_size(job: Job) -> None:
    small, lite, full = (
        need_of(replace(job, architecture=name)).worker
        for name in ("one-convolution", "context-cracknet-lite", "context-cracknet")
    )
    assert small < lite < full
    assert need_of(replace(job, precision="bf16")).worker < lite
    assert need_of(replace(job, precision="openvino-bf16")).worker > lite


def test_workers_that_fit_leave_a_reserve() -> None:
    need = Need(libraries=200 * MIB, driver=100 * MIB, worker=500 * MIB)
    assert need.of_run(2) == 1300 * MIB
    assert need.with_reserve(2) == pytest.approx(1300 / 0.85 * MIB)
    assert need.workers_in(need.with_reserve(2) + 1) == 2
    assert need.workers_in(need.with_reserve(2) - MIB) == 1
    assert need.workers_in(100 * MIB) == 0


def test_what_the_driver_has_already_counts_where_it_is_more() -> None:
    need = Need(libraries=200 * MIB, driver=140 * MIB, worker=500 * MIB)
    assert need.beside(50 * MIB) == need
    assert need.beside(300 * MIB).driver > 300 * MIB


def test_a_process_that_traces_needs_no_network_but_a_whole_image(job: Job) -> None:
    full = replace(job, architecture="context-cracknet")
    assert of_tracing(full) == of_tracing(job) < need_of(full).of_worker
    # libraries, interpreter, GDAL's cache, a JPEG as a whole, and 10 bytes for each pixel of a block
    assert of_tracing(job) > (205 + 350 + 80 + 256) * MIB + 10 * (8 * 384) ** 2
    assert of_tracing(with_blocks(job, 16)) > of_tracing(job) + 10 * (16**2 - 8**2) * 384**2

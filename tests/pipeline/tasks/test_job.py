"""At which GSD the network sees an image, and the grid that follows from it."""

from dataclasses import replace
from pathlib import Path

import pytest
from affine import Affine
from frames import UTM32, survey_image

from crackpipe.pipeline.config import Config
from crackpipe.pipeline.request import Request, make_job
from crackpipe.pipeline.tasks.job import Job, grid_of, network_gsd_mm


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Job:
    folder: Path = tmp_path_factory.mktemp("job")
    return make_job(Request((folder,), folder / "out", Config(device="cpu")))


@pytest.mark.parametrize(
    ("gsd_mm", "seen_at_mm"), [(0.25, 0.5), (0.5, 0.5), (1.0, 1.0), (5.0, 5.0), (6.0, 6.0), (8.0, 6.0)]
)
def test_within_the_range_of_the_weights_an_image_is_seen_as_it_is(
    job: Job, gsd_mm: float, seen_at_mm: float
) -> None:
    assert network_gsd_mm(gsd_mm, replace(job, gsd_range_mm=(0.5, 6.0))) == seen_at_mm


@pytest.mark.parametrize(
    ("gsd_mm", "seen_at_mm"), [(0.5, 1.0), (0.7, 0.7), (1.4, 1.4), (1.6, 1.0), (5.0, 1.0)]
)
def test_weights_without_a_range_see_what_is_far_off_at_their_own_gsd(
    job: Job, gsd_mm: float, seen_at_mm: float
) -> None:
    assert network_gsd_mm(gsd_mm, replace(job, gsd_range_mm=None, training_gsd_mm=1.0)) == seen_at_mm


def test_a_tile_covers_448_px_of_what_the_network_sees(job: Job) -> None:
    coarse = survey_image("a.tif", UTM32, Affine(0.005, 0, 500_000, 0, -0.005, 5_400_000))
    enlarged = grid_of(coarse, replace(job, gsd_range_mm=None, training_gsd_mm=1.0))
    as_it_is = grid_of(coarse, replace(job, gsd_range_mm=(0.5, 6.0)))
    assert enlarged.tile_px == round(448 / 5)
    assert as_it_is.tile_px == 448

"""Neighbours find each other by what both show, and nothing is found where nothing is common."""

from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from PIL import Image
from scipy.ndimage import affine_transform, gaussian_filter

from crackpipe.pipeline.frames.quality.seams import Seam, read_grey, seams_of
from crackpipe.pipeline.geometry.arrays import Floats

HEIGHT, WIDTH = 400, 500
MM = 2.0


def road(seed: int = 1) -> Floats:
    """Grey road of 1200 x 700 px with grain and patches."""
    rng = np.random.default_rng(seed)
    grain = gaussian_filter(rng.normal(0, 60, (1200, 700)), 1.2)
    return 120 + grain + gaussian_filter(rng.normal(0, 400, (1200, 700)), 12)


def frame(path: Path, pixels: Floats, row: float, col: float, turn_deg: float = 0.0) -> Path:
    """What a frame shows whose first pixel lies at (row, col) of the road, with noise of its own."""
    turn = np.radians(turn_deg)
    matrix = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    seen = affine_transform(pixels, matrix, offset=(row, col), output_shape=(HEIGHT, WIDTH), order=1)
    noise = np.random.default_rng(len(path.name)).normal(0, 4, seen.shape)
    Image.fromarray(np.clip(seen + noise, 0, 255).astype(np.uint8)).save(path, quality=90)
    return path


def pair(folder: Path, step: float, aside: float, said_step: float, turn_deg: float = 0.0) -> Seam:
    """The seam of two frames, the second `step` px ahead and `aside` px to the right, said to be
    elsewhere.
    """
    pixels = road()
    first = frame(folder / "1.jpg", pixels, 700, 100)
    second = frame(folder / "2.jpg", pixels, 700 - step, 100 + aside, turn_deg)
    places = [Affine.identity(), Affine.translation(0, -said_step) @ Affine.rotation(turn_deg)]
    return seams_of([first, second], places, (HEIGHT, WIDTH), MM, read_grey)[0]


@pytest.mark.parametrize(("step", "aside", "said_step"), [(300, 0, 300), (290.5, 12.0, 300), (312, -20, 300)])
def test_a_frame_is_found_to_a_millimetre(
    tmp_path: Path, step: float, aside: float, said_step: float
) -> None:
    found = pair(tmp_path, step, aside, said_step)
    assert found.shift_px == pytest.approx((aside, said_step - step), abs=0.5)
    assert found.likeness > 0.6


@pytest.mark.parametrize("step", [330.0, 345.0])
def test_an_overlap_thinner_than_said_or_not_even_said_is_found(tmp_path: Path, step: float) -> None:
    found = pair(tmp_path, step, 5.0, 410.0)
    assert found.shift_px == pytest.approx((5.0, 410.0 - step), abs=0.5)


def test_a_turned_frame_is_found(tmp_path: Path) -> None:
    found = pair(tmp_path, 280.0, 6.0, 300.0, turn_deg=2.0)
    assert found.shift_px == pytest.approx((6.0, 20.0), abs=1.0)


def test_frames_of_other_ground_are_not_found_in_each_other(tmp_path: Path) -> None:
    first, second = (frame(tmp_path / f"{seed}.jpg", road(seed), 300, 100) for seed in (1, 2))
    places = [Affine.identity(), Affine.translation(0, -300)]
    found = seams_of([first, second], places, (HEIGHT, WIDTH), MM, read_grey)[0]
    assert found.is_compared
    assert np.isnan(found.shift_px).all()


def test_lines_along_the_road_do_not_tell_how_far_it_went(tmp_path: Path) -> None:
    lines = np.tile(100 + 80 * (np.arange(700) % 60 < 20).astype(float), (1200, 1))
    first, second = frame(tmp_path / "1.jpg", lines, 700, 100), frame(tmp_path / "22.jpg", lines, 400, 100)
    found = seams_of(
        [first, second], [Affine.identity(), Affine.translation(0, -310)], (HEIGHT, WIDTH), MM, read_grey
    )[0]
    assert np.isnan(found.shift_px).all()


def test_frames_far_from_each_other_are_not_compared(tmp_path: Path) -> None:
    found = pair(tmp_path, 600.0, 0.0, 900.0)
    assert not found.is_compared


def test_coarse_frames_beside_each_other_have_nothing_to_compare(tmp_path: Path) -> None:
    first, second = frame(tmp_path / "1.jpg", road(), 700, 100), frame(tmp_path / "22.jpg", road(), 270, 100)
    places = [Affine.identity(), Affine.translation(0, -425.0)]
    found = seams_of([first, second], places, (HEIGHT, WIDTH), 8.0, read_grey)[0]
    assert np.isnan(found.shift_px).all()


def test_a_broken_frame_is_nothing_to_compare(tmp_path: Path) -> None:
    first = frame(tmp_path / "1.jpg", road(), 700, 100)
    (tmp_path / "2.jpg").write_bytes(first.read_bytes()[:2000])
    places = [Affine.identity(), Affine.translation(0, -300)]
    assert not seams_of([first, tmp_path / "2.jpg"], places, (HEIGHT, WIDTH), MM, read_grey)[0].is_compared

"""The width of a line in an image array, on a rendered crack of known width."""

import numpy as np
import pytest

import crackpipe
from crackpipe.model.render.cracks import Crack
from crackpipe.model.render.picture import clean_scene, render_window
from crackpipe.pipeline.errors import UsageError
from crackpipe.pipeline.geometry.arrays import Floats

HEIGHT, WIDTH = 400, 300
LINE = np.column_stack([np.linspace(30, 370, 60), 150 + 8 * np.sin(np.linspace(0, 6, 60))])


def picture(width_px: float) -> np.ndarray:
    crack = Crack(LINE, np.full(len(LINE), width_px), contrast_grey=60.0)
    rgb, _ = render_window(clean_scene(HEIGHT, WIDTH, seed=2, cracks=(crack,)), 0, 0, HEIGHT, WIDTH)
    return rgb


@pytest.mark.parametrize("width_px", [0.8, 1.5, 3.0, 6.0])
@pytest.mark.parametrize("aside", [(0, 0), (0, 2)])
def test_the_width_is_found_within_two_deviations(width_px: float, aside: tuple[int, int]) -> None:
    found = crackpipe.measure_width(picture(width_px), LINE + aside, gsd_mm=2.0)
    whole = found.whole
    assert whole.width_mm is not None and whole.width_sigma_mm is not None
    assert abs(whole.width_mm - 2.0 * width_px) < 2 * whole.width_sigma_mm
    assert whole.width_sigma_mm < 0.4 * whole.width_mm
    assert not found.flag.any()


def test_windows_partition_the_line() -> None:
    found = crackpipe.measure_width(picture(3.0), LINE, gsd_mm=1.0)
    length_px = np.hypot(*np.diff(LINE, axis=0).T).sum()
    assert found.arc_start_px[0] == 0 and found.arc_stop_px[-1] == pytest.approx(length_px, rel=1e-3)
    np.testing.assert_allclose(found.arc_start_px[1:], found.arc_stop_px[:-1])
    assert len(found.width_px) == len(found.center_px) == 7
    assert found.whole.width_class == "wide" and found.whole.p_wide is not None


def test_a_known_contrast_makes_it_surer() -> None:
    guessed = crackpipe.measure_width(picture(1.5), LINE, gsd_mm=1.0)
    known = crackpipe.measure_width(picture(1.5), LINE, gsd_mm=1.0, contrast=60.0, contrast_sd=0.0)
    assert (known.width_sigma_px < 0.7 * guessed.width_sigma_px).all()


def test_grey_and_colour_give_the_same() -> None:
    grey = picture(3.0)[..., 1]
    colour = np.repeat(grey[..., None], 3, axis=2)
    widths: list[Floats] = [
        crackpipe.measure_width(image, LINE, gsd_mm=1.0).width_px
        for image in (grey, colour, grey.astype(np.float32))
    ]
    np.testing.assert_array_equal(widths[0], widths[1])
    np.testing.assert_allclose(widths[0], widths[2], rtol=1e-3)


def test_a_crack_wider_than_was_said_is_flagged() -> None:
    assert crackpipe.measure_width(picture(10.0), LINE, gsd_mm=1.0, widest_px=8.0).flag.all()


def test_where_nothing_was_seen_there_is_no_width() -> None:
    found = crackpipe.measure_width(picture(3.0), LINE, gsd_mm=1.0, valid=np.zeros((HEIGHT, WIDTH), bool))
    assert np.isnan(found.width_px).all()
    assert found.whole.width_mm is None and found.whole.class_uncertain


def test_wrong_arrays_are_told() -> None:
    image = picture(3.0)
    with pytest.raises(UsageError, match=r"image is uint8 \(3, 400, 300\).*moveaxis"):
        crackpipe.measure_width(np.moveaxis(image, -1, 0), LINE, gsd_mm=1.0)
    with pytest.raises(UsageError, match=r"line has shape \(2, 60\)"):
        crackpipe.measure_width(image, LINE.T, gsd_mm=1.0)
    with pytest.raises(UsageError, match="line has no length"):
        crackpipe.measure_width(image, [(5, 5), (5, 5)], gsd_mm=1.0)
    with pytest.raises(UsageError, match=r"valid has shape \(5, 5\)"):
        crackpipe.measure_width(image, LINE, gsd_mm=1.0, valid=np.ones((5, 5), bool))

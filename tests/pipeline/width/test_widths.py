"""From drawn images to widths: truth at any angle, whatever the block, beside cracks, paint and gaps."""

from dataclasses import astuple

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.width.contrast import Contrast, contrast_of_image
from crackpipe.pipeline.width.profiles import Profiles, margin_px, measure
from crackpipe.pipeline.width.widths import Widths, widths_of
from crackpipe.pipeline.width.windows import paths_of, windows_of

PSF = 0.7
KNOWN = Contrast(60.0, 0.0, float("nan"), 0)
SIZE = 160
SAMPLES = 5


def strip(width_px: float, angle_deg: float, *, contrast: float = 60.0) -> tuple[np.ndarray, np.ndarray]:
    """A straight dark strip through the image, and its centreline (2, 2).

    Drawn on 5 x 5 points per pixel from the exact distance, blurred there, then averaged over each pixel:
    by no formula that the fit uses.
    """
    angle = np.radians(angle_deg)
    tangent, centre = np.array([np.sin(angle), np.cos(angle)]), np.array([SIZE / 2 + 0.3, SIZE / 2 - 0.2])
    at = (np.arange(SIZE * SAMPLES) + 0.5) / SAMPLES - 0.5
    across = np.abs((at[:, None] - centre[0]) * tangent[1] - (at[None, :] - centre[1]) * tangent[0])
    slot = np.clip((width_px / 2 - across) * SAMPLES + 0.5, 0.0, 1.0)
    blurred = gaussian_filter(slot, PSF * SAMPLES, mode="nearest", truncate=5)
    pixels = blurred.reshape(SIZE, SAMPLES, SIZE, SAMPLES).mean(axis=(1, 3))
    line = centre + np.array([[-62.0], [62.0]]) * tangent
    return (128.0 - contrast * pixels).astype(np.float32), line


def asphalt(seed: int, sd: float = 10.0, shape: tuple[int, int] = (SIZE, SIZE)) -> np.ndarray:
    """Texture of `sd` grey values correlated over about a pixel, and noise of 3."""
    rng = np.random.default_rng(seed)
    texture = gaussian_filter(rng.standard_normal(shape), 1.0, mode="wrap")
    return (texture * sd / texture.std() + rng.normal(0.0, 3.0, shape)).astype(np.float32)


def whole(image: np.ndarray) -> Window:
    return Window(0, 0, *image.shape[:2])


def profiles_of(image: np.ndarray, lines: list[np.ndarray], half_width_px: float = 2.0) -> Profiles:
    paths = paths_of(lines, [half_width_px] * len(lines))
    valid = np.ones(image.shape[:2], bool)
    return measure(
        paths, windows_of(paths, 50.0), image, valid, whole(image), sigma_psf_px=PSF, tone="linear"
    )


def widths(image: np.ndarray, lines: list[np.ndarray], contrast: Contrast = KNOWN) -> Widths:
    return widths_of(profiles_of(image, lines), contrast, sigma_psf_px=PSF)


@pytest.mark.parametrize("angle_deg", [0, 30, 45, 77, 90, 160])
@pytest.mark.parametrize("width_px", [0.5, 1.0, 2.0, 4.0])
def test_a_clean_strip_at_any_angle(width_px: float, angle_deg: float) -> None:
    image, line = strip(width_px, angle_deg)
    found = widths(image, [line]).width_px
    assert len(found) == 2
    # the scatter that traced lines have, and this one has not, is taken out of the width: 0.02 px
    assert np.abs(found - width_px).max() < 0.05


def test_bias_spread_and_promise_on_asphalt() -> None:
    errors, scaled = [], []
    for seed, (width_px, angle_deg) in enumerate((w, a) for w in (0.6, 1.5, 3.0) for a in range(5, 180, 22)):
        image, line = strip(width_px, angle_deg)
        found = widths(image + asphalt(seed), [line])
        errors.append(found.width_px - width_px)
        scaled.append(errors[-1] / found.width_sigma_px)
    error, scaled_error = np.concatenate(errors), np.concatenate(scaled)
    assert abs(error.mean()) < 0.06
    assert error.std() < 0.22
    assert 0.88 <= np.mean(np.abs(scaled_error) < 2) <= 1.0


def test_colours_and_tone() -> None:
    grey, line = strip(2.0, 20)
    rgb = np.repeat(np.round(grey).astype(np.uint8)[..., None], 3, axis=2)
    assert np.allclose(widths(rgb, [line]).width_px, widths(grey, [line]).width_px, atol=0.03)


@pytest.mark.parametrize("cut", [Window(0, 0, 130, 160), Window(20, 10, 140, 150)])
def test_a_window_is_the_same_in_every_block(cut: Window) -> None:
    image, line = strip(1.5, 33)
    image = image + asphalt(1)
    other = np.array([[20.0, 110.0], [60.0, 40.0]])
    paths, valid = paths_of([line, other], [2.0, 1.5]), np.ones(image.shape, bool)
    windows = windows_of(paths, 15.0)
    margin = margin_px(15.0, 2.0, PSF)
    inside = (windows.center - margin >= [cut.row, cut.col]) & (
        windows.center + margin <= [cut.row_stop, cut.col_stop]
    )
    chosen = np.flatnonzero(inside.all(axis=1))
    assert len(chosen) >= 1
    part = cut.within(whole(image))
    alone = measure(
        paths, windows.part(chosen), image[part], valid[part], cut, sigma_psf_px=PSF, tone="linear"
    )
    together = measure(paths, windows, image, valid, whole(image), sigma_psf_px=PSF, tone="linear")
    for one, all_of_them in zip(astuple(alone), astuple(together), strict=True):
        assert one.tobytes() == all_of_them[chosen].tobytes()


def test_a_neighbouring_crack_does_not_count() -> None:
    image, line = strip(1.5, 0)
    beside = line + np.array([7.0, 0.0])
    image[:, :] = np.minimum(image, np.roll(image, 7, axis=0))
    assert np.abs(widths(image, [line, beside]).width_px - 1.5).max() < 0.1
    # nor where it was not found
    assert np.abs(widths(image, [line]).width_px - 1.5).max() < 0.1


def test_paint_on_a_stretch_of_one_side_does_not_count() -> None:
    image, line = strip(1.5, 0)
    image[86:, 40:55] = 230.0  # from 6 px beside the crack
    assert np.abs(widths(image, [line]).width_px - 1.5).max() < 0.1


def test_what_is_not_inspected_does_not_count() -> None:
    image, line = strip(1.5, 0)
    valid = np.ones(image.shape, bool)
    image[:, :80], valid[:, :80] = 0.0, False
    paths = paths_of([line], [2.0])
    profiles = measure(
        paths, windows_of(paths, 50.0), image, valid, whole(image), sigma_psf_px=PSF, tone="linear"
    )
    found = widths_of(profiles, KNOWN, sigma_psf_px=PSF).width_px
    assert np.isnan(found[0])
    assert found[1] == pytest.approx(1.5, abs=0.05)


def test_one_side_without_background_is_enough() -> None:
    image, line = strip(1.5, 0)
    image[83:], valid = 0.0, np.ones(image.shape, bool)
    valid[83:] = False
    paths = paths_of([line], [2.0])
    profiles = measure(
        paths, windows_of(paths, 50.0), image, valid, whole(image), sigma_psf_px=PSF, tone="linear"
    )
    assert np.abs(widths_of(profiles, KNOWN, sigma_psf_px=PSF).width_px - 1.5).max() < 0.1


def test_no_pixels_and_no_windows_at_all() -> None:
    empty = Profiles.joined([], 4)
    found = widths_of(empty, KNOWN, sigma_psf_px=PSF)
    assert np.isnan(found.width_px).all() and not found.flag.any()
    nothing = contrast_of_image(empty, np.zeros(4, int), sigma_psf_px=PSF, contrast_sd=0.2, default=50.0)
    assert (nothing.grey, nothing.windows) == (50.0, 0)
    image, _ = strip(1.0, 0)
    assert len(widths(image, []).width_px) == 0


def test_contrast_from_what_is_expected_and_from_the_images_wide_cracks() -> None:
    image, line = strip(5.0, 25, contrast=42.0)
    profiles = profiles_of(image + asphalt(3, sd=5.0), [line], half_width_px=3.5)
    ten = Profiles.joined([(np.arange(2 * k, 2 * k + 2), profiles) for k in range(10)], 20)

    def found(windows: Profiles, lines: list[int], **told: float) -> Contrast:
        spread = {"contrast_sd": 0.2, "default": 60.0} | told
        return contrast_of_image(windows, np.array(lines), sigma_psf_px=PSF, **spread)

    expected = 60.0 * 128 / 120  # the default of the weights is meant for pavement of 120 grey values
    one, many = found(profiles, [0, 0]), found(ten, np.repeat(np.arange(10), 2).tolist())
    assert (one.windows, many.windows) == (2, 20)
    assert 44.0 < one.grey < many.grey + 9.0 < expected  # one crack says something, ten nearly all
    assert many.grey == pytest.approx(42.0, rel=0.08)
    assert 0.2 < many.sd < 0.225 < one.sd < np.hypot(0.2, 0.3)
    # many windows of one crack are one crack
    assert found(ten, [0] * 20).sd == one.sd
    # where no crack is wide, it is what is expected
    thin, line = strip(1.0, 25)
    none = found(profiles_of(thin, [line]), [0, 0])
    assert (none.windows, none.sd) == (0, np.hypot(0.2, 0.3))
    assert none.grey == pytest.approx(expected, rel=0.02)


def test_the_cameras_contrast_is_expected_in_each_image() -> None:
    image, line = strip(5.0, 25, contrast=42.0)
    wide = profiles_of(image, [line], half_width_px=3.5)
    thin, line = strip(1.0, 25)
    at = np.array([0, 0])
    told = {"sigma_psf_px": PSF, "default": 60.0, "given": 33.0}
    none = contrast_of_image(profiles_of(thin, [line]), at, contrast_sd=0.2, **told)
    assert (none.grey, none.sd, none.windows) == (33.0, np.hypot(0.2, 0.15), 0)
    assert 33.0 < contrast_of_image(wide, at, contrast_sd=0.2, **told).grey < 42.0
    exact = contrast_of_image(wide, at, contrast_sd=0.0, **told)
    assert (exact.grey, exact.sd) == (33.0, 0.0)


def test_contrast_follows_light_and_shadow() -> None:
    """A crack half in the shade, where all is half as bright, has one width."""
    image, line = strip(1.0, 0)
    image[:, SIZE // 2 :] *= 0.5
    image = image + asphalt(5, sd=2.0)
    light = Contrast(60.0, 0.05, 128.0, 0)
    paths = paths_of([line], [2.0])
    windows = windows_of(paths, 40.0)
    profiles = measure(
        paths, windows, image, np.ones(image.shape, bool), whole(image), sigma_psf_px=PSF, tone="linear"
    )
    found = widths_of(profiles, light, sigma_psf_px=PSF).width_px
    assert found[[0, -1]] == pytest.approx(1.0, abs=0.12)


def test_the_cross_check_flags_what_is_no_slot() -> None:
    image, line = strip(6.0, 10, contrast=12.0)  # a pale band: a stain, not a crack
    assert widths(image, [line], Contrast(60.0, 0.1, float("nan"), 0)).flag.all()
    image, line = strip(6.0, 10, contrast=60.0)
    assert not widths(image, [line], Contrast(60.0, 0.1, float("nan"), 0)).flag.any()

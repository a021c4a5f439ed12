"""Rendered pavement: any cut gives the same pixels, and the truth is what the pixels show."""

import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from crackpipe.model.render.cracks import Crack, Window, darkness
from crackpipe.model.render.marks import Mark, mark_alpha
from crackpipe.model.render.noise import grain, key_of, normal, smooth, uniform
from crackpipe.model.render.objects import worn_lane_edge
from crackpipe.model.render.picture import Camera, Light, Scene, clean_scene, render_window
from crackpipe.model.render.scenes import LOOKS, Look, random_scene, write_pairs
from crackpipe.model.render.texture import Texture

FLAT = Texture(surface="plain", sd_grey=0.0)
QUIET = Camera(blur_px=0.7, read_noise_grey=0.0, photon_noise=0.0, grey=True)
EIGHT_CONNECTED = np.ones((3, 3), bool)


def straight(angle_deg: float, width_px: float, contrast_grey: float = 60.0) -> Crack:
    """A crack through (100.3, 100.7), far longer than the scene."""
    direction = np.array([np.sin(np.deg2rad(angle_deg)), np.cos(np.deg2rad(angle_deg))])
    ends = np.array([100.3, 100.7]) + np.outer([-500.0, 500.0], direction)
    return Crack(ends, np.full(2, width_px), contrast_grey)


def flat_scene(*cracks: Crack) -> Scene:
    return replace(clean_scene(200, 200, 1, cracks), texture=FLAT, camera=QUIET)


# ---- windows


@pytest.mark.parametrize("look", ["coarse asphalt", "concrete"])
def test_any_window_has_the_pixels_of_the_whole(look: Look) -> None:
    scene = random_scene(11, 560, 540, look=look, with_cracks=True, weathered=True)
    whole, mask = render_window(scene, 0, 0, 560, 540)
    for row0, col0, height, width in [(500, 7, 40, 531), (559, 539, 1, 1)]:
        rgb, part = render_window(scene, row0, col0, height, width)
        where = slice(row0, row0 + height), slice(col0, col0 + width)
        assert np.array_equal(rgb, whole[where])
        assert np.array_equal(part, mask[where])


def test_blocks_meet_without_a_seam() -> None:
    # 40 columns on either side of the border between two blocks: the step across it is no larger than others
    rgb, _ = render_window(replace(random_scene(5, 300, 600, with_cracks=False), marks=()), 0, 472, 300, 80)
    steps = np.abs(np.diff(rgb[..., 1].astype(float), axis=1)).mean(axis=0)
    assert steps[39] < steps.mean() + 4 * steps.std()


def test_a_window_outside_the_scene_is_refused() -> None:
    with pytest.raises(ValueError, match="not inside the scene of 200 x 200 px"):
        render_window(flat_scene(), 150, 0, 51, 10)


def test_a_window_of_a_long_strip_needs_the_memory_of_the_window() -> None:
    strip = random_scene(3, 100_000, 4_000, gsd_mm=1.0, with_cracks=True)
    tracemalloc.start()
    rgb, _ = render_window(strip, 99_840, 3_584, 160, 416)  # the last block
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert rgb.shape == (160, 416, 3)
    assert peak < 100 * 2**20


# ---- worn lane lines


def test_dirt_along_a_worn_lane_line_is_dark_and_no_crack() -> None:
    scene = replace(flat_scene(), height_px=400, width_px=600)
    marks = worn_lane_edge(np.random.default_rng(3), scene)
    painted = [mark for mark in marks if mark.effect == "cover"]
    assert len(painted) == 1
    assert len(marks) > 1
    rgb, mask = render_window(replace(scene, marks=tuple(marks)), 0, 0, 400, 600)
    bare, _ = render_window(scene, 0, 0, 400, 600)
    darker = bare[..., 1].astype(int) - rgb[..., 1]
    assert not mask.any()
    assert (darker > 10).mean() > 0.005
    assert (darker < -10).mean() > 0.005


def test_worn_lane_lines_are_in_weathered_scenes_of_asphalt_only() -> None:
    def added(seed: int, look: Look) -> int:
        plain = random_scene(seed, 256, 256, look=look, with_cracks=False)
        worn = random_scene(seed, 256, 256, look=look, with_cracks=False, weathered=True)
        return len(worn.marks) - len(plain.marks)

    assert {added(seed, "concrete") for seed in range(12)} == {0}
    share = np.mean([added(seed, "old asphalt") > 0 for seed in range(40)])
    assert 0.1 < share < 0.45


# ---- truth against pixels


@pytest.mark.parametrize("width_px", [0.3, 0.5, 1.0, 2.0, 5.0, 12.0])
@pytest.mark.parametrize("angle_deg", [0.0, 90.0, 45.0, 17.0, 63.0])
def test_missing_light_is_contrast_times_width(width_px: float, angle_deg: float) -> None:
    crack = straight(angle_deg, width_px)
    coverage, dark = darkness([crack], Window(0, 0, 200, 200))
    # area of the crack inside the window over the length of its axis there
    length_px = 200 / max(abs(np.cos(np.deg2rad(angle_deg))), abs(np.sin(np.deg2rad(angle_deg))))
    clipped = slice(40, 160)  # across a corner the axis is cut obliquely: take the middle
    if angle_deg < 45:
        dark, coverage, length_px = dark[:, clipped], coverage[:, clipped], length_px * 0.6
    else:
        dark, coverage, length_px = dark[clipped], coverage[clipped], length_px * 0.6
    assert dark.sum() / length_px == pytest.approx(60.0 * width_px, rel=0.02)
    assert coverage.sum() / length_px == pytest.approx(width_px, rel=0.02)


@pytest.mark.parametrize("width_px", [0.5, 1.0, 3.0, 8.0])
def test_missing_light_in_the_picture(width_px: float) -> None:
    rgb, _ = render_window(flat_scene(straight(8.0, width_px)), 0, 0, 200, 200)
    missing = 140.0 - rgb[:, 40:160, 0].astype(float)
    # 8 bits round each of the two faint flanks, hence the floor of 1 grey px
    assert missing.sum() / (120 / np.cos(np.deg2rad(8.0))) == pytest.approx(60 * width_px, rel=0.02, abs=1.0)


def test_light_scales_the_contrast() -> None:
    half = Mark(np.array([[-9, -9], [-9, 400], [400, 400], [400, -9.0]]), "shadow", 0.5)
    scene = replace(flat_scene(straight(0.0, 4.0)), marks=(half,))
    rgb, _ = render_window(scene, 0, 0, 200, 200)
    assert rgb[20, 100, 0] == 70
    assert (70.0 - rgb[:, 100, 0].astype(float)).sum() == pytest.approx(30 * 4, rel=0.02)


def test_branches_do_not_count_twice_where_they_meet() -> None:
    _, once = darkness([straight(0.0, 5.0)], Window(0, 0, 200, 200))
    _, twice = darkness([straight(0.0, 5.0), straight(0.0, 5.0)], Window(0, 0, 200, 200))
    assert np.array_equal(once, twice)


def test_a_slanted_profile_is_darkest_on_its_centreline() -> None:
    crack = Crack(np.array([[30.0, -20.0], [170.0, 220.0]]), np.full(2, 2.0), 60.0)
    rgb, _ = render_window(flat_scene(crack), 0, 0, 200, 200)
    missing = 140.0 - rgb[..., 0].astype(float)
    rows = (missing * np.arange(200)[:, None]).sum(axis=0) / missing.sum(axis=0)
    expected = 30.0 + (np.arange(200) + 20.0) * 140 / 240
    assert np.abs(rows - expected)[10:190].max() < 0.05


def test_texture_does_not_shift_the_mean() -> None:
    for look in LOOKS:
        scene = random_scene(2, 300, 300, look=look, with_cracks=False)
        scene = replace(scene, marks=(), macro=0.0, lanes=0.0, light=Light(), camera=QUIET)
        rgb, _ = render_window(scene, 0, 0, 300, 300)
        assert rgb.mean() == pytest.approx(scene.tone_grey, rel=0.03)


def test_clean_scene_has_the_noise_it_promises() -> None:
    rgb, mask = render_window(clean_scene(500, 500, 4), 0, 0, 500, 500)
    grey = rgb[..., 0].astype(float)
    assert not mask.any()
    assert grey.mean() == pytest.approx(140, abs=0.3)
    # texture of 10 and sigma 1 px: correlation exp(-1/4) between neighbours; noise of 3 is white
    assert grey.std() == pytest.approx(np.hypot(10, 3), rel=0.03)
    centred = grey - grey.mean()
    assert (centred[1:] * centred[:-1]).mean() == pytest.approx(100 * np.exp(-0.25), rel=0.05)


# ---- masks


def test_mask_by_eye() -> None:
    drawn = """
        ........
        ........
        ########
        ########
        ########
        ........
        ........
        ........
    """
    crack = Crack(np.array([[3.0, -5.0], [3.0, 12.0]]), np.full(2, 3.0), 60.0)
    scene = replace(flat_scene(crack), height_px=8, width_px=8)
    _, mask = render_window(scene, 0, 0, 8, 8)
    assert ["".join(".#"[v] for v in row) for row in mask] == drawn.split()


@pytest.mark.parametrize("seed", range(6))
def test_a_thin_crack_has_one_connected_mask(seed: int) -> None:
    rng = np.random.default_rng(seed)
    steps = rng.normal(0, 1.0, (60, 2)) + np.array([1.0, 2.0])
    path = np.array([20.0, 10.0]) + np.cumsum(steps, axis=0)
    crack = Crack(path, rng.uniform(0, 0.6, 60), 60.0)
    scene = replace(flat_scene(crack), height_px=300, width_px=300)
    _, mask = render_window(scene, 0, 0, 300, 300)
    _, parts = ndimage.label(mask, EIGHT_CONNECTED)
    assert parts == 1


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="centreline has shape"):
        Crack(np.zeros((1, 2)), np.zeros(1), 60.0)
    with pytest.raises(ValueError, match="for 2 vertices"):
        Crack(np.zeros((2, 2)), np.zeros(3), 60.0)


# ---- noise


def test_noise_has_unit_deviation_and_no_memory_of_the_window() -> None:
    rows, cols = np.arange(-300, 300), np.arange(1_000_000, 1_000_500)
    for field in (
        normal(key_of(1, 2), rows, cols),
        grain(key_of(1, 2), rows, cols, 1.0),
        smooth(key_of(1, 2), rows, cols, 6.0),
    ):
        assert field.std() == pytest.approx(1.0, rel=0.03)
        assert field.mean() == pytest.approx(0.0, abs=0.05)
    whole = grain(7, rows, cols, 1.4)
    assert np.array_equal(whole[100:150, 30:90], grain(7, rows[100:150], cols[30:90], 1.4))


def test_uniform_noise_is_uniform_in_both_directions() -> None:
    field = uniform(key_of(3, 1), np.arange(512), np.arange(512))
    assert np.histogram(field, 16, (0, 1))[0] == pytest.approx(512 * 512 / 16, rel=0.04)
    for axis in (0, 1):
        assert field.mean(axis=axis).std() == pytest.approx((1 / 12) ** 0.5 / 512**0.5, rel=0.15)


# ---- marks and scenes


def test_a_polygon_and_a_band_lie_where_they_should() -> None:
    box = Mark(np.array([[2, 3], [2, 9], [6, 9], [6, 3.0]]) - 0.5, "cover", 200.0, edge_px=0.1)
    band = Mark(np.array([[4.0, -5.0], [4.0, 30.0]]), "cover", 200.0, width_px=3.0, edge_px=0.1)
    for mark, expected in ((box, np.s_[2:6, 3:9]), (band, np.s_[3:6, :])):
        seen = np.zeros((12, 12))
        found = mark_alpha(mark, Window(0, 0, 12, 12))
        assert found is not None
        seen[found[0], found[1]] = found[2]
        wanted = np.zeros((12, 12))
        wanted[expected] = 1
        assert np.allclose(seen, wanted, atol=1e-3)
    assert mark_alpha(box, Window(100, 0, 12, 12)) is None


def test_random_scenes_are_drawn_from_their_seed_alone() -> None:
    first, second = (render_window(random_scene(9, 128, 128), 0, 0, 128, 128) for _ in range(2))
    assert np.array_equal(first[0], second[0])
    other = render_window(random_scene(10, 128, 128), 0, 0, 128, 128)
    assert not np.array_equal(first[0], other[0])


def test_pairs_on_disk(tmp_path: Path) -> None:
    write_pairs(tmp_path / "a", 4, seed=1, size_px=128)
    write_pairs(tmp_path / "b", 4, seed=1, size_px=128)
    files = sorted(p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*.*"))
    assert len(files) == 8
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    masks = [np.asarray(Image.open(tmp_path / "a" / f)) for f in files if f.suffix == ".png"]
    assert {int(v) for mask in masks for v in np.unique(mask)} <= {0, 255}
    assert any(mask.any() for mask in masks)

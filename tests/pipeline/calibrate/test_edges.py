"""The camera's blur from edges whose blur is known."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.special import erf

from crackpipe.model.render.marks import Mark
from crackpipe.model.render.picture import Camera, clean_scene, render_window
from crackpipe.pipeline.calibrate.edges import Edges, find_edges, in_camera_px, sharp_blur, sharp_blur_sd
from crackpipe.pipeline.frames.oblique.decode import packed
from crackpipe.pipeline.frames.oblique.rectify import rectified
from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.geometry.plan_view import PlanView

POINTS = 5  # x 5 in a pixel: its area is drawn, not assumed
# a ramp whose variance, width^2 / 20, is that of a pixel's area: the renderer draws paint point by point
PIXEL_RAMP_PX = float(np.sqrt(20 / 12))


def paint(seed: int, blur_px: float, *, bright: float = 210.0) -> NDArray[np.float32]:
    """A slanted band of paint on asphalt, grey 120, texture 10, noise 3; float32 (400, 400)."""
    rng = np.random.default_rng(seed)
    angle = rng.uniform(0.03, 0.2)
    place = (np.arange(400 * POINTS) + 0.5) / POINTS - 0.5
    s = (place[None, :] - 120) * np.cos(angle) - (place[:, None] - 200) * np.sin(angle)
    step = [0.5 + 0.5 * erf((s - edge) / (np.sqrt(2) * blur_px)) for edge in (0.0, 120.0)]
    cover = (step[0] - step[1]).reshape(400, POINTS, 400, POINTS).mean(axis=(1, 3))
    texture = gaussian_filter(rng.standard_normal((400, 400)), 1.0)
    texture *= 10.0 / texture.std()
    grey = 120 + (bright - 120) * cover + texture * (1 - 0.7 * cover) + rng.normal(0, 3, (400, 400))
    return np.clip(grey, 0, 255).astype(np.float32)


def edges_of(picture: NDArray[np.float32]) -> Edges:
    return find_edges(picture, np.ones(picture.shape, bool))


@pytest.mark.parametrize("blur_px", [0.4, 0.7, 1.2])
def test_blur_is_found_within_5_percent_and_its_deviation_is_honest(blur_px: float) -> None:
    found = Edges.joined([edges_of(paint(seed, blur_px)) for seed in range(6)])
    assert len(found.sigma_px) >= 60
    assert sharp_blur(found.sigma_px, found.sd_px) == pytest.approx(blur_px, rel=0.05)
    assert float(np.std(found.sigma_px)) == pytest.approx(float(np.median(found.sd_px)), rel=0.35)
    assert sharp_blur_sd(found.sigma_px, found.sd_px) < 0.05


@pytest.mark.parametrize("times", [0.8, 1.6])
def test_in_a_plan_view_the_blur_is_that_of_the_cameras_pixels(times: float) -> None:
    # the edges run down the picture, and the plan view shows it so many times as wide
    found = []
    for seed in range(4):
        frame = np.rint(paint(seed, 0.7)).astype(np.uint8)
        view = PlanView((1 / times, 0, 0, 0, 1, 0, 0, 0, 1), (400, 400), (400, round(400 * times) - 2))
        (plan,), _ = rectified(packed(frame[None]), view, Window(0, 0, *view.size_px))
        found.append(in_camera_px(edges_of(plan.astype(np.float32)), view))
    edges = Edges.joined(found)
    assert len(edges.sigma_px) >= 30
    assert sharp_blur(edges.sigma_px, edges.sd_px) == pytest.approx(0.7, rel=0.08)


def test_normals_point_across_the_edge_to_the_bright_side() -> None:
    across = edges_of(paint(1, 0.7))
    assert (np.abs(across.normal[:, 1]) > 0.95).all()
    assert {-1.0, 1.0} == set(np.sign(across.normal[:, 1]))
    down = edges_of(np.ascontiguousarray(paint(1, 0.7).T))
    assert (np.abs(down.normal[:, 0]) > 0.95).all()


@pytest.mark.parametrize("blur_px", [0.7, 1.0])
def test_blur_of_rendered_paint_is_the_cameras(blur_px: float) -> None:
    marks = tuple(
        Mark(np.array([[-20.0, col], [620.0, col + 40.0]]), "cover", 215.0, width_px=90.0,
             edge_px=PIXEL_RAMP_PX, seed=int(col))
        for col in (120.0, 330.0)
    )  # fmt: skip
    scene = clean_scene(600, 500, seed=3)
    camera: Camera = replace(scene.camera, blur_px=blur_px)
    rgb, _ = render_window(replace(scene, camera=camera, marks=marks), 0, 0, 600, 500)
    found = edges_of(rgb[..., 0].astype(np.float32))
    assert sharp_blur(found.sigma_px, found.sd_px) == pytest.approx(blur_px, rel=0.08)


def test_motion_blur_is_told_from_the_lens() -> None:
    across = [edges_of(paint(seed, 0.7)) for seed in range(3)]
    down = [edges_of(np.ascontiguousarray(paint(seed, 1.2).T)) for seed in range(3)]
    found = Edges.joined(across + down)
    rows = np.abs(found.normal[:, 0]) > np.abs(found.normal[:, 1])
    assert sharp_blur(found.sigma_px[rows], found.sd_px[rows]) == pytest.approx(1.2, rel=0.05)
    assert sharp_blur(found.sigma_px[~rows], found.sd_px[~rows]) == pytest.approx(0.7, rel=0.05)


def test_cracks_clipped_paint_and_bare_road_are_no_edges() -> None:
    road = paint(2, 0.7, bright=120.0)
    assert len(edges_of(road).sigma_px) == 0
    cracked = road.copy()
    cracked[:, 200:205] -= 70.0
    assert len(edges_of(cracked).sigma_px) == 0
    assert len(edges_of(paint(2, 0.7, bright=300.0)).sigma_px) == 0


def test_pixels_that_are_not_valid_are_not_looked_at() -> None:
    picture = paint(4, 0.7)
    assert len(find_edges(picture, np.zeros(picture.shape, bool)).sigma_px) == 0


def test_soft_edges_do_not_hide_the_sharp_ones() -> None:
    rng = np.random.default_rng(5)
    soft = np.concatenate([np.full(40, 0.7), rng.uniform(0.7, 1.4, 60)])
    found = soft + rng.normal(0.0, 0.05, 100)
    assert sharp_blur(found, np.full(100, 0.05)) == pytest.approx(0.7, abs=0.07)
    with pytest.raises(ValueError, match="no edges"):
        sharp_blur(np.zeros(0), np.zeros(0))

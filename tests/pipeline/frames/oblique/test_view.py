"""What a camera that looks ahead sees of the plane, and cameras that show nothing."""

from pathlib import Path

import numpy as np
import pytest
from ahead.spots import CAMERA, SIZE, SPOTS, middles, picture

from crackpipe.model.data.plane import to_ground, to_pixels
from crackpipe.pipeline.errors import ConfigurationError
from crackpipe.pipeline.frames.files.camera import read_camera
from crackpipe.pipeline.frames.files.oblique import Oblique
from crackpipe.pipeline.frames.oblique.decode import packed
from crackpipe.pipeline.frames.oblique.rectify import rectified
from crackpipe.pipeline.frames.oblique.view import View, camera_to_ground, view_of
from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.geometry.plan_view import COARSEST, PlanView, coarseness, inspected


def whole(view: View) -> Window:
    return Window(0, 0, *view.plan.shape)


def test_a_level_camera_sees_what_trigonometry_says() -> None:
    straight = Oblique(gsd_mm=8.0, focal_px=600.0, height_m=2.4, pitch_deg=35.0)
    matrix = camera_to_ground(straight, (481, 641))
    # 100 px below the middle the view is steeper by atan(100 / 600)
    found = to_ground(matrix, [[240, 320], [340, 320]])
    steep = np.radians(35.0) + np.array([0.0, np.arctan(1 / 6)])
    assert np.allclose(found, np.column_stack([[0.0, 0.0], 2.4 / np.tan(steep)]))


def test_points_say_the_same_as_height_and_angles() -> None:
    matrix = camera_to_ground(CAMERA, SIZE)
    pixels = to_pixels(matrix, SPOTS)
    points = tuple((col, row, right, ahead) for (row, col), (right, ahead) in zip(pixels, SPOTS, strict=True))
    again = camera_to_ground(Oblique(gsd_mm=8.0, points=points), SIZE)
    assert np.allclose(again / again[2, 2], matrix / matrix[2, 2], atol=1e-9)
    assert np.sign(again[2] @ [300, 400, 1]) == 1.0


def test_spots_lie_within_half_a_pixel_of_the_plane() -> None:
    view = view_of(CAMERA, SIZE, "camera.toml")
    (plan,), _ = rectified(packed(picture(CAMERA).astype(np.uint8)[None]), view.view, whole(view))
    found = middles(plan.astype(float))
    truth = np.column_stack(
        [(view.plan.far_m - SPOTS[:, 1]) / 0.008 - 0.5, (SPOTS[:, 0] - view.plan.left_m) / 0.008 - 0.5]
    )
    off = np.hypot(*(found[:, None] - truth[None]).transpose(2, 0, 1)).min(axis=1)
    assert len(found) == len(SPOTS)
    assert off.max() < 0.5


def test_only_what_is_fine_enough_is_inspected() -> None:
    view = view_of(CAMERA, SIZE, "camera.toml")
    row, col = np.mgrid[0 : view.plan.shape[0], 0 : view.plan.shape[1]].astype(float)
    coarse, wanted = coarseness(view.view, row, col), inspected(view.view, whole(view))
    assert np.array_equal(wanted, coarse <= COARSEST)
    assert coarse[wanted].max() * 8.0 == pytest.approx(view.worst_mm, rel=2e-3)
    assert wanted.mean() > 0.3
    # the far end is left out, though the camera sees it
    assert view.plan.far_m < to_ground(view.plan.matrix, [[100, 320]])[0, 1]


def test_where_the_camera_sees_finer_its_pixels_are_averaged() -> None:
    # a frame of noise, four of whose pixels lie in one of the plan view
    view = PlanView((2, 0, 0.5, 0, 2, 0.5, 0, 0, 1), (200, 200), (100, 100))
    noise = np.random.default_rng(0).integers(0, 256, (1, 200, 200), dtype=np.uint8)
    (plan,), wanted = rectified(packed(noise), view, Window(0, 0, 100, 100))
    assert wanted.all()
    mean = noise[0].reshape(100, 2, 100, 2).mean(axis=(1, 3))
    assert np.abs(plan - mean).max() <= 0.5


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[oblique]\nfocal_px = 600.0\n", "needs gsd_mm"),
        ("[oblique]\ngsd_mm = 8.0\n", "either points or focal_px"),
        ("[oblique]\ngsd_mm = 8.0\nfocal_px = 600.0\nheight_m = 2.4\n", "needs pitch_deg too"),
        ("[oblique]\ngsd_mm = 8.0\nheight = 2.4\n", "'height' is not known"),
        ("[oblique]\ngsd_mm = 8.0\npoints = [[1, 2, 3]]\n", "four or more"),
        ("[oblique]\ngsd_mm = 8.0\npoints = [[1, 2, 3, 4]]\nroll_deg = 2\n", "not two of these"),
        (
            "mm_per_px = 2.0\n[oblique]\ngsd_mm = 8.0\nfocal_px = 600.0\nheight_m = 2\npitch_deg = 30\n",
            "leave out",
        ),
    ],
)
def test_a_table_that_cannot_be_meant_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "camera.toml").write_text(text)
    with pytest.raises(ConfigurationError, match=said):
        read_camera(tmp_path / "camera.toml")


@pytest.mark.parametrize(
    ("camera", "said"),
    [
        (Oblique(gsd_mm=0.3, focal_px=600.0, height_m=2.4, pitch_deg=35.0), "as fine as 2.5"),
        (Oblique(gsd_mm=50.0, focal_px=600.0, height_m=0.5, pitch_deg=50.0), "56 times as fine"),
        (
            Oblique(
                gsd_mm=8.0, points=((0, 400, -1, 3), (600, 380, 1, 3), (0, 200, 2, 6), (600, 200, -2, 6.5))
            ),
            "both sides of the horizon",
        ),
        (
            Oblique(gsd_mm=8.0, points=((0, 0, 0, 1), (1, 1, 0, 2), (2, 2, 0, 3), (3, 3, 0, 4))),
            "fix no plane",
        ),
    ],
)
def test_a_camera_that_shows_nothing_fine_is_refused(camera: Oblique, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        view_of(camera, SIZE, "camera.toml")

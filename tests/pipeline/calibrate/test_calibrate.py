"""Blur and contrast of a rendered camera are found again, from images on disk to crackpipe.toml."""

import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from helpers import crack, write_scene

from crackpipe.cli import cli
from crackpipe.model.render.marks import Mark
from crackpipe.model.render.picture import Scene, clean_scene
from crackpipe.pipeline.calibrate.calibrate import Calibration, blur_of, calibrate
from crackpipe.pipeline.calibrate.edges import Edges
from crackpipe.pipeline.calibrate.places import _spread
from crackpipe.pipeline.calibrate.report import lines
from crackpipe.pipeline.config import Config
from crackpipe.pipeline.errors import NoReadableImageError, UsageError
from crackpipe.pipeline.geometry.grid import Window

BLUR_PX, CONTRAST = 0.8, 70.0
PIXEL_RAMP_PX = float(np.sqrt(20 / 12))  # see test_calibrate_edges


def road(seed: int, *, painted: bool = True, cracked: bool = True, side_px: int = 760) -> Scene:
    """Lane paint at the left, three cracks of 5 to 7 px and 70 grey values at the right."""
    edges = np.array([[-20.0, 60.0 + seed], [780.0, 90.0 + seed]])
    marks = (Mark(edges, "cover", 225.0, width_px=70.0, edge_px=PIXEL_RAMP_PX, seed=seed),)
    cracks = (
        crack(30 + seed, 230, 730, 320, 5.0),
        crack(40 + seed, 390, 720, 450, 6.0),
        crack(20 + seed, 560, 740, 660, 7.0),
    )
    scene = clean_scene(side_px, side_px, seed)
    return replace(
        scene,
        camera=replace(scene.camera, blur_px=BLUR_PX),
        marks=marks if painted else (),
        cracks=cracks if cracked else (),
    )


def test_blur_and_contrast_of_a_rendered_camera(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in (1, 2):
        write_scene(tmp_path / "survey" / f"{seed}.tif", road(seed))
    monkeypatch.chdir(tmp_path)
    Path("crackpipe.toml").write_text("halo_px = 48  # ours\nsigma_psf_px = 1.5\n")
    result = CliRunner().invoke(cli, ["calibrate", "survey", "--places", "2"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    written = Path("crackpipe.toml").read_text()
    found = tomllib.loads(written)
    assert written.startswith("halo_px = 48  # ours\nsigma_psf_px = ")
    assert found["sigma_psf_px"] == pytest.approx(BLUR_PX, rel=0.08)
    assert found["contrast"] == pytest.approx(CONTRAST, rel=0.1)
    assert "across the image (columns): 0." in result.output
    assert "down the image (rows): fewer than 10 edges" in result.output


def test_without_paint_or_cracks_it_says_which_images_are_needed(tmp_path: Path) -> None:
    write_scene(tmp_path / "bare.tif", road(3, painted=False, cracked=False, side_px=380))
    with pytest.raises(UsageError, match=r"(?s)lane paint.*stretches of crack"):
        calibrate([tmp_path], Config(), places=1)


def test_a_folder_without_images_says_so(tmp_path: Path) -> None:
    (tmp_path / "empty.tif").touch()
    with pytest.raises(NoReadableImageError, match=r"empty\.tif"):
        calibrate([tmp_path], Config())


def edges(sigma_px: float, normal: tuple[float, float], count: int = 20) -> Edges:
    sigma, sd, step = (np.full(count, value) for value in (sigma_px, 0.05, 90.0))
    return Edges(sigma, sd, np.tile(normal, (count, 1)), step, np.zeros((count, 2)))


def test_directions_are_kept_apart_and_count_alike() -> None:
    both = Edges.joined([edges(1.0, (1.0, 0.0), 12), edges(0.6, (0.0, -1.0), 90), edges(0.8, (0.7, 0.7))])
    down, across, blur = blur_of(both)
    assert down is not None and across is not None and blur is not None
    assert (down.sigma_px, down.edges) == (pytest.approx(1.0), 12)
    assert (across.sigma_px, across.edges) == (pytest.approx(0.6), 90)
    assert blur.sigma_px == pytest.approx(np.sqrt((1.0 + 0.36) / 2))
    said = lines(
        Calibration(blur=blur, down=down, across=across, contrast=None, places=3, images=1),
        Path("crackpipe.toml"),
    )
    assert any("motion blur" in line for line in said)
    assert any("Contrast: not measured" in line for line in said)


def test_one_direction_alone_is_the_blur() -> None:
    down, across, blur = blur_of(edges(0.6, (0.0, 1.0)))
    assert down is None
    assert across == blur
    assert blur is not None
    assert (blur.sigma_px, blur.edges) == (pytest.approx(0.6), 20)


def test_places_are_spread_and_never_twice() -> None:
    blocks = [Window(row, col, 10, 10) for row in range(0, 500, 10) for col in range(0, 30, 10)]
    chosen = _spread(blocks, 12)
    assert len(set(chosen)) == 12
    assert {window.col for window in chosen} == {0, 10, 20}
    gaps = np.diff([window.row for window in chosen])
    assert gaps.max() <= 100
    assert _spread(blocks[:5], 12) == blocks[:5]

"""Pictures of survey cameras: the same seed the same bytes, and masks of what can be seen."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from scipy.ndimage import gaussian_filter

from crackpipe.cli import cli
from crackpipe.model.render.cameras import openings, pairs, surface
from crackpipe.model.render.cameras.pairs import draw_picture, mask_of, write_camera_pairs


def files(folder: Path) -> dict[str, bytes]:
    return {str(f.relative_to(folder)): f.read_bytes() for f in sorted(folder.rglob("*")) if f.is_file()}


def test_seed_and_number_decide_a_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs, "SIZE_PX", 160)
    whole = write_camera_pairs(tmp_path / "a", 3, 5)
    assert whole.name == "rendered_cameras"
    assert list(files(whole)) == [
        *(f"images/cameras_5_0000{k}.jpg" for k in range(3)),
        *(f"masks/cameras_5_0000{k}.png" for k in range(3)),
    ]
    # drawn again in two parts, the first picture lost in between
    parts = write_camera_pairs(tmp_path / "b", 2, 5)
    (parts / "images" / "cameras_5_00000.jpg").unlink()
    write_camera_pairs(tmp_path / "b", 3, 5)
    assert files(parts) == files(whole)
    for name in whole.glob("images/*"):
        picture, mask = Image.open(name), Image.open(whole / "masks" / f"{name.stem}.png")
        assert picture.mode == "RGB"
        assert picture.size == mask.size == (160, 160)
        assert mask.mode == "L"


def test_a_third_has_no_crack_and_the_others_have() -> None:
    cracked = []
    for index in range(16):
        rgb, mask, quality = draw_picture(np.random.default_rng((8, index)), size_px=96)
        assert set(np.unique(mask)) <= {0, 127, 255}
        assert rgb.std() > 1
        assert 25 <= quality <= 95
        cracked.append(bool((mask == 255).any()))
    assert 0.3 < np.mean(cracked) < 0.7


def drawn_line() -> openings.Openings:
    cover = np.zeros((60, 60), np.float32)
    cover[:, 30] = 1
    return openings.Openings(cover, cover, np.zeros_like(cover))


def test_a_crack_that_nobody_can_see_is_not_labelled() -> None:
    drawn, nothing = drawn_line(), np.zeros((60, 60), np.float32)
    flat = np.full((60, 60), 120, np.float32)
    rough = flat + np.random.default_rng(2).normal(0, 25, (60, 60)).astype(np.float32)
    assert set(np.unique(mask_of(drawn, nothing, flat, flat - 20 * drawn.cover, 1.0))) == {0, 255}
    for before, change in ((flat, 2.0), (rough, 8.0)):
        mask = mask_of(drawn, nothing, before, before - np.float32(change) * drawn.cover, 1.0)
        assert set(np.unique(mask)) == {0, 127}
        assert np.all(mask[:, 30] == 127)


def test_a_mesh_that_the_lens_has_smeared_is_not_labelled() -> None:
    cover = np.zeros((60, 60), np.float32)
    cover[:, ::3] = 1
    drawn, nothing = openings.Openings(cover, cover, np.zeros_like(cover)), np.zeros((60, 60), np.float32)
    flat = np.full((60, 60), 120, np.float32)
    assert (mask_of(drawn, nothing, flat, flat - 30 * cover, 1.0) == 255).any()
    smeared = gaussian_filter(flat - 30 * cover, 2.0)
    assert not (mask_of(drawn, nothing, flat, smeared, 1.0) == 255).any()


def test_a_crack_under_a_cover_is_sound() -> None:
    drawn, over = drawn_line(), np.zeros((60, 60), np.float32)
    over[:30] = 1
    flat = np.full((60, 60), 120, np.float32)
    mask = mask_of(drawn, over, flat, flat - 30 * drawn.cover, 1.0)
    assert not mask[:30].any()
    assert np.all(mask[30:, 30] == 255)


def test_textures_with_cracks_are_passed_over(tmp_path: Path) -> None:
    for part in ("images", "masks"):
        (tmp_path / part).mkdir()
    for name, label in (("sound", 0), ("cracked", 127)):
        Image.fromarray(np.full((64, 64, 3), 90, np.uint8)).save(tmp_path / "images" / f"{name}.jpg")
        Image.fromarray(np.full((64, 64), label, np.uint8)).save(tmp_path / "masks" / f"{name}.png")
    assert [path.stem for path in surface.usable_textures(tmp_path)] == ["sound"]
    with pytest.raises(FileNotFoundError, match="no texture"):
        surface.usable_textures(tmp_path / "masks")


def test_the_command_draws_them_and_says_what_does_not_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pairs, "SIZE_PX", 96)
    drawn = CliRunner().invoke(cli, ["sample", str(tmp_path / "a"), "--kind", "cameras", "--count", "1"])
    assert drawn.output == f"1 pairs in {tmp_path / 'a' / 'rendered_cameras'}\n"
    assert len(files(tmp_path / "a")) == 2
    (tmp_path / "empty").mkdir()
    for kind, sentence in (("cameras", "no texture"), ("pairs", "add --kind cameras")):
        command = ["sample", str(tmp_path / "b"), "--kind", kind, "--textures", str(tmp_path / "empty")]
        refused = CliRunner().invoke(cli, command)
        assert refused.exit_code == 2
        assert sentence in refused.output


def test_surfaces_that_judge_a_training_are_not_drawn_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pairs, "SIZE_PX", 96)
    drawn_on: list[str] = []
    monkeypatch.setattr(
        pairs, "write_camera_pair", lambda *given: drawn_on.extend(path.stem for path in given[3])
    )
    images = tmp_path / "polyhaven_1k" / "images"
    images.mkdir(parents=True)
    for name in ("asphalt_06", "asphalt_04"):  # the first one is kept from training
        Image.fromarray(np.full((64, 64, 3), 90, np.uint8)).save(images / f"{name}.jpg")
    command = ["sample", str(tmp_path / "a"), "--kind", "cameras", "--count", "1", "--textures"]
    assert CliRunner().invoke(cli, [*command, str(images.parent)]).exit_code == 0
    assert drawn_on == ["asphalt_04"]
    (images / "asphalt_04.jpg").unlink()
    refused = CliRunner().invoke(cli, [*command, str(images.parent)])
    assert refused.exit_code == 2
    assert "are kept from training" in refused.output

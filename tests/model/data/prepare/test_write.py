"""Small sets of drawn pictures, under the names of the free ones."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from crackpipe.cli import cli
from crackpipe.model.data.pairs import is_validation, list_pairs, load_pairs
from crackpipe.model.data.prepare.write import prepare, read_mask

TRAINS = "DF_251_251BDF0052_000010"
JUDGES = "RS_386_386RS124739_000010"


def draw(data: Path, set_name: str, stem: str, *, lane: bool = False) -> None:
    """A dark line 3 px wide with a label 9 px wide; with `lane`, 127 outside a lane that leads ahead."""
    grey = np.random.default_rng(5).normal(120, 4, (120, 200))
    grey[60:63] -= 50
    mask = np.zeros(grey.shape, np.uint8)
    mask[57:66, 40:160] = 255
    if lane:
        rows, cols = np.mgrid[:120, :200]
        mask[(cols < 60 - rows // 3) | (cols > 140 + rows // 3)] = 127
    for part, pixels in (("images", np.repeat(grey[..., None], 3, 2)), ("masks", mask)):
        folder = data / set_name / part
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{stem}.png")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    draw(folder, "dnit", TRAINS, lane=True)
    draw(folder, "dnit", JUDGES)  # without a lane: what judges needs no plan view
    draw(folder, "sut_crack", "1")
    draw(folder, "deepcrack", "train_1")
    return folder


@pytest.fixture(scope="module")
def out(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sets of `data`, prepared in this process with tight labels. To be read only."""
    folder = tmp_path_factory.mktemp("prepared")
    figures = prepare(data, folder, 1, tight=True)
    assert {name: len(each) for name, each in figures.items()} == {"dnit": 2, "dnit_plan": 1, "sut_crack": 1}
    return folder


def test_sets_get_their_step_and_judges_keep_their_labels(data: Path, out: Path) -> None:
    assert sorted(path.name for path in out.iterdir()) == ["dnit", "dnit_plan", "sut_crack"]
    assert [(name, image.stem) for name, image, _ in list_pairs([out])] == [
        ("dnit", TRAINS),
        ("dnit", JUDGES),
        ("dnit_plan", TRAINS),
        ("sut_crack", "1"),
    ]
    assert [pair.stem for pair in load_pairs([out], validation=True)] == [JUDGES]
    delivered = read_mask(data / "dnit/masks" / f"{JUDGES}.png")
    assert np.array_equal(read_mask(out / "dnit/masks" / f"{JUDGES}.png"), delivered)
    tight = read_mask(out / "sut_crack/masks/1.png")
    assert (tight[60:63, 45:155] == 255).all()
    assert (tight[57:60, 45:155] == 127).all()
    image = f"dnit/images/{TRAINS}.png"
    assert (out / image).read_bytes() == (data / image).read_bytes()


def test_labels_that_lie_on_their_cracks_stay_unless_tight_ones_are_asked_for(
    data: Path, tmp_path: Path
) -> None:
    prepare(data, tmp_path, 1)
    for name in ("sut_crack/masks/1.png", f"dnit/masks/{TRAINS}.png"):
        assert np.array_equal(read_mask(tmp_path / name), read_mask(data / name))
    assert (read_mask(tmp_path / "dnit_plan/masks" / f"{TRAINS}.png") == 255).any()


def test_the_plan_view_shows_the_same_crack(out: Path) -> None:
    mask = read_mask(out / "dnit_plan/masks" / f"{TRAINS}.png")
    image = np.asarray(Image.open(out / "dnit_plan/images" / f"{TRAINS}.jpg").convert("L"))
    assert image.shape == mask.shape
    assert mask.shape[1] == 1050  # 4.2 m at 4 mm
    assert (mask == 255).any()
    assert image[mask == 255].mean() < 100 < image[mask == 0].mean()


@pytest.mark.slow
def test_two_processes_write_the_same_bytes_as_one(data: Path, out: Path, tmp_path: Path) -> None:
    prepare(data, tmp_path, 2, tight=True)
    files = sorted(path.relative_to(out) for path in out.rglob("*.*g"))
    assert len(files) == 8
    for file in files:
        assert (out / file).read_bytes() == (tmp_path / file).read_bytes()


def test_the_command_prints_what_it_did_and_spares_what_is_there(tmp_path: Path) -> None:
    draw(tmp_path / "data", "sut_crack", "1")
    arguments = ["dataset", "prepare", str(tmp_path / "data"), "--out", str(tmp_path / "prepared")]
    result = CliRunner().invoke(cli, [*arguments, "--processes", "1"])
    assert result.exit_code == 0, result.output
    assert "| sut_crack | 1 | " in result.output
    again = CliRunner().invoke(cli, arguments)
    assert "sut_crack is there: remove it, or write to another folder" in str(again.exception)


def test_a_folder_without_free_sets_is_refused(tmp_path: Path) -> None:
    draw(tmp_path, "deepcrack", "train_1")
    with pytest.raises(FileNotFoundError, match="holds none of the free sets"):
        prepare(tmp_path, tmp_path / "prepared")


def test_a_mask_that_does_not_fit_is_named(tmp_path: Path) -> None:
    draw(tmp_path / "data", "sut_crack", "1")
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(tmp_path / "data/sut_crack/masks/1.png")
    with pytest.raises(ValueError, match=r"1\.png is 9x9 px"):
        prepare(tmp_path / "data", tmp_path / "prepared", 1)


def test_nothing_is_left_of_a_set_that_failed(tmp_path: Path) -> None:
    draw(tmp_path / "data", "sut_crack", "1")
    image = tmp_path / "data/sut_crack/images/1.png"
    image.write_bytes(image.read_bytes()[:2000])
    arguments = ["dataset", "prepare", str(tmp_path / "data"), "--out", str(tmp_path / "prepared")]
    result = CliRunner().invoke(cli, [*arguments, "--processes", "1"])
    assert "1.png cannot be read as an image" in str(result.exception)
    assert getattr(result.exception, "exit_code", None) == 2
    assert list((tmp_path / "prepared").iterdir()) == []


def test_the_names_above_are_on_the_sides_they_say() -> None:
    assert not is_validation("dnit", TRAINS)
    assert is_validation("dnit", JUDGES)

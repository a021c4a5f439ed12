from pathlib import Path

import numpy as np
import pytest
from paths import ROOT
from PIL import Image
from training import write_set

from crackpipe.model.data import pairs

SPLITS = ROOT / "docs" / "evidence" / "splits" / "validation.txt"


def write_pair(folder: Path, stem: str, mask_value: int = 255, shape: tuple[int, int] = (20, 30)) -> None:
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    mask = np.zeros(shape, np.uint8)
    mask[5] = mask_value
    Image.fromarray(np.full((20, 30, 3), 90, np.uint8)).save(folder / "images" / f"{stem}.jpg")
    Image.fromarray(mask).save(folder / "masks" / f"{stem}.png")


@pytest.mark.parametrize(
    ("set_name", "stem", "photograph"),
    [
        ("deepcrack", "train_IMG33-10", "train_IMG33"),
        ("deepcrack", "train_11111", "train_11111"),
        ("gaps384_crops", "train_GAPS384_train_0608_541_1-6", "train_GAPS384_train_0608"),
        ("aiglern_trimm_crops", "train_AIGLE_RN_C18b-4", "train_AIGLE_RN_C18b"),
        ("shadowcrack_crops", "train_train_1-3", "train_train_1"),
        ("negatives_nha12d", "APVD_01_0_768", "APVD_01"),
        ("nha12d", "APVD_01", "APVD_01"),
        ("negatives_cfd", "002_0_768", "002"),
        ("negatives_deepcrack", "train_IMG33-10_0_768", "train_IMG33"),
        ("negatives_dnit", "DF_251_251BDF0052_001234_0_768", "DF_251_251BDF0052"),
        ("cfd", "002", "002"),
        ("dnit", "DF_251_251BDF0052_001234", "DF_251_251BDF0052"),
        ("dnit_plan", "DF_251_251BDF0052_001234", "DF_251_251BDF0052"),
        ("paveseg_preview", "000072", "000070"),
        ("paveseg_preview", "000070", "000070"),
        ("polyhaven_1k", "asphalt_03", "asphalt_03"),
    ],
)
def test_crops_know_their_photograph(set_name: str, stem: str, photograph: str) -> None:
    assert pairs.photograph_of(set_name, stem) == photograph


def test_crops_of_a_photograph_stay_together() -> None:
    for number in range(50):
        sides = {pairs.is_validation("deepcrack", f"train_IMG{number}-{crop}") for crop in range(5)}
        assert len(sides) == 1
        road = f"APVD_{number:02d}"
        part = pairs.is_validation("negatives_nha12d", f"{road}_360_0")
        assert part == pairs.is_validation("nha12d", road)


@pytest.mark.parametrize("name", ["cfd", "dnit", "sut_crack", "mine"])
def test_a_crack_free_part_is_on_the_side_of_its_photograph(name: str) -> None:
    """Also of sets that do not name such parts, and of sets of one's own."""
    sides = set()
    for number in range(50):
        side = pairs.is_validation(name, f"A{number}_0001", 0.5)
        assert pairs.is_validation(f"negatives_{name}", f"A{number}_0001_360_0", 0.5) == side
        sides.add(side)
    assert sides == {True, False}


def test_a_section_of_road_is_on_one_side_in_either_view() -> None:
    sections = {"RS_386_386RS124739": True, "DF_251_251BDF0530": True, "RS_290_290RS294095": False}
    for section, validates in sections.items():
        for number in range(0, 3000, 100):
            for name in ("dnit", "dnit_plan"):
                assert pairs.is_validation(name, f"{section}_{number:06d}") == validates


def test_written_split_is_the_one_in_the_code() -> None:
    lines = [line for line in SPLITS.read_text().splitlines() if line and not line.startswith("#")]
    assert len(lines) > 100
    for line in lines:
        set_name, stem = line.split("/")
        assert pairs.is_validation(set_name, stem), line


def test_load_splits_and_decodes(tmp_path: Path) -> None:
    for number in range(40):
        write_pair(tmp_path / "cfd", f"{number:03d}")
    write_pair(tmp_path / "mine", "a", mask_value=0)
    (tmp_path / "notes").mkdir()
    training = pairs.load_pairs([tmp_path], validation=False)
    validation = pairs.load_pairs([tmp_path], validation=True)
    assert len(training) + len(validation) == 41
    assert {pair.set_name for pair in validation} == {"cfd"}
    assert {pair.stem for pair in validation}.isdisjoint(pair.stem for pair in training)
    sound = training[-1]
    assert (sound.set_name, len(sound.crack_at), sound.label.max()) == ("mine", 0, 0)
    assert training[0].label[5].all()
    assert training[0].label.sum() == 30


def test_errors_name_the_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="one folder per set"):
        pairs.list_pairs([tmp_path])
    write_pair(tmp_path / "mine", "a", shape=(20, 31))
    with pytest.raises(ValueError, match=r"a\.png is 31x20 px but .*a\.jpg is 30x20 px"):
        pairs.load_pairs([tmp_path], validation=False)
    (tmp_path / "mine" / "masks" / "a.png").unlink()
    with pytest.raises(FileNotFoundError, match="has no mask"):
        pairs.list_pairs([tmp_path])


def test_a_folder_may_be_a_set_itself(tmp_path: Path) -> None:
    write_pair(tmp_path / "rendered", "a")
    names = [name for name, _, _ in pairs.list_pairs([tmp_path / "rendered"])]
    assert names == ["rendered"]


def test_hidden_folders_and_files_are_no_sets(tmp_path: Path) -> None:
    """`dataset prepare` writes into such a folder, and macOS leaves `._a.jpg` behind."""
    write_pair(tmp_path / "cracksc", "a")
    write_pair(tmp_path / ".cracksc.partial", "a")
    (tmp_path / "cracksc/images/._a.jpg").write_bytes(b"")
    assert [name for name, _, _ in pairs.list_pairs([tmp_path])] == ["cracksc"]


@pytest.mark.parametrize(
    ("values", "refused"), [([0, 1], 1), ([0, 127, 1, 2], 2), ([0, 38], 38), ([0, 127], 0), ([0, 9, 60], 0)]
)
def test_masks_of_zeros_and_ones_are_refused(tmp_path: Path, values: list[int], refused: int) -> None:
    write_set(tmp_path, values, names=())
    if refused:
        with pytest.raises(ValueError, match=rf"a\.png has the value {refused}, but .* multiply .* by 255"):
            pairs.load_pairs([tmp_path], validation=False)
    else:  # sound, or the soft edge of a crack that lies outside
        assert (pairs.load_pairs([tmp_path], validation=False)[0].label[0] != 1).all()


def test_what_nobody_inspected_is_ignored(tmp_path: Path) -> None:
    write_pair(tmp_path / "mine", "a", mask_value=pairs.NOT_LABELLED_GREY)
    (pair,) = pairs.load_pairs([tmp_path], validation=False)
    assert (pair.label[5] == 255).all()
    assert len(pair.crack_at) == 0
    assert np.delete(pair.label, 5, axis=0).max() == 0

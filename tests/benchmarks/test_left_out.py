"""Which photographs a training of benchmarks/accuracy/left_out.py sees, and which not."""

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from click.testing import CliRunner
from paths import benchmark
from PIL import Image

from crackpipe.model.data.pairs import list_pairs, photograph_of
from crackpipe.model.evaluate.judge import Picture
from crackpipe.model.evaluate.metrics import Counts


@pytest.fixture(scope="module")
def left_out() -> ModuleType:
    return benchmark("left_out")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    stems = {
        "cfd": ["001", "002"],
        "nha12d": ["A_1", "A_2", "C_1", "C_2", "C_3"],
        "negatives_nha12d": ["A_1_0_768", "C_3_0_0", "C_3_360_0"],
    }
    for name, some in stems.items():
        for kind, suffix in (("images", "jpg"), ("masks", "png")):
            (tmp_path / "data" / name / kind).mkdir(parents=True)
            for stem in some:
                pixels = Image.fromarray(np.zeros((8, 8), np.uint8))
                pixels.save(tmp_path / "data" / name / kind / f"{stem}.{suffix}")
    return tmp_path / "data"


def test_a_set_is_left_out_with_its_crack_free_parts(
    left_out: ModuleType, data: Path, tmp_path: Path
) -> None:
    listed = list_pairs([data])
    (case,) = left_out.cases(listed, "nha12d", 1)
    assert case.hidden == {"A_1", "A_2", "C_1", "C_2", "C_3"}
    assert left_out.folders_of(case, listed, tmp_path) == (data / "cfd",)
    (case,) = left_out.cases(listed, "cfd", 1)
    assert left_out.folders_of(case, listed, tmp_path) == (data / "negatives_nha12d", data / "nha12d")


def test_nothing_left_out_is_all_sets(left_out: ModuleType, data: Path, tmp_path: Path) -> None:
    everything = left_out.Case("with-all", "", frozenset())
    folders = left_out.folders_of(everything, list_pairs([data]), tmp_path)
    assert [folder.name for folder in folders] == ["cfd", "negatives_nha12d", "nha12d"]


def test_folds_partition_photographs_and_none_trains_on_its_own(
    left_out: ModuleType, data: Path, tmp_path: Path
) -> None:
    listed = list_pairs([data])
    folds = left_out.cases(listed, "nha12d", 2)
    assert [sorted(fold.hidden) for fold in folds] == [["A_1", "C_1", "C_3"], ["A_2", "C_2"]]
    for fold in folds:
        trained_on = list_pairs(left_out.folders_of(fold, listed, tmp_path))
        seen = {photograph_of(name, image.stem) for name, image, _ in trained_on if name != "cfd"}
        assert seen == {"A_1", "A_2", "C_1", "C_2", "C_3"} - fold.hidden
    files = [image.name for _, image, _ in trained_on]
    assert files == ["001.jpg", "002.jpg", "A_1_0_768.jpg", "C_3_0_0.jpg", "C_3_360_0.jpg", *(
        f"{stem}.jpg" for stem in ("A_1", "C_1", "C_3")
    )]  # fmt: skip


def test_a_set_that_is_not_there_or_too_small(left_out: ModuleType, data: Path) -> None:
    listed = list_pairs([data])
    with pytest.raises(
        ValueError, match="set gaps has 0 photographs, 1 needed; sets of the data: cfd, nha12d"
    ):
        left_out.cases(listed, "gaps", 1)
    with pytest.raises(ValueError, match="set cfd has 2 photographs, 3 needed"):
        left_out.cases(listed, "cfd", 3)


def test_every_row_fills_the_head(left_out: ModuleType) -> None:
    """And says the length that is found: here half of it with the set, a quarter without."""
    some = {"line_px": 100, "line_near_label_px": 100, "label_skeleton_px": 200, "predicted_px": 1}
    runs = [[Picture("cfd", "001", Counts(**some, label_line_near_px=px), 0)] for px in (100, 50)]
    rows = [*left_out.head().splitlines(), left_out.line("cfd", *runs), left_out.line("cfd, all", runs[1])]
    assert len({row.count("|") for row in rows}) == 1
    column = rows[0].split(" | ").index("length found with it")
    assert [cell.split(" ")[0] for cell in rows[2].split(" | ")[column : column + 3]] == [
        "0.500",
        "0.250",
        "+0.250",
    ]


def test_what_is_hidden_now_does_not_train_from_an_earlier_call(
    left_out: ModuleType, data: Path, tmp_path: Path
) -> None:
    listed = list_pairs([data])
    for hidden in ({"A_1"}, {"A_2", "C_1"}):
        case = left_out.Case("without", "nha12d", frozenset(hidden))
        folders = left_out.folders_of(case, listed, tmp_path)
    seen = {photograph_of(name, image.stem) for name, image, _ in list_pairs(folders) if name != "cfd"}
    assert seen == {"A_1", "C_2", "C_3"}


def test_results_of_other_options_do_not_answer(
    left_out: ModuleType, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(left_out, "weights_of", lambda *_: Path())
    monkeypatch.setattr(left_out, "report", lambda *_: None)
    asked = [str(data), str(tmp_path / "work"), "--sets", "cfd", "--tiles", "9"]
    for extra, code in (([], 0), ([], 0), (["--learning-rate", "3e-4"], 2), (["--folds", "2"], 0)):
        result = CliRunner().invoke(left_out.main, [*asked, *extra])
        assert result.exit_code == code, result.output
        said = "other options (learning_rate not noted): give those, or another WORK"
        assert (said in " ".join(result.output.split())) == (code == 2)

"""From reviewed tiles to weights: real run, real training of a few steps, real judging."""

import shutil
from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import pytest
from click.testing import CliRunner
from helpers import WEIGHTS_METADATA

from crackpipe.cli import cli
from crackpipe.model.adapt.teach import RECIPE, Lesson, architecture_of, gsd_range_mm, teach
from crackpipe.model.data.pairs import list_pairs
from crackpipe.model.networks.context_cracknet import ContextCrackNetLite
from crackpipe.model.train import recipes
from crackpipe.model.train.checkpoint import held
from crackpipe.model.weights.read import load, save
from crackpipe.pipeline.adapt.learn import (
    MADE_FROM,
    LearnRequest,
    Learnt,
    _check_same,
    learn,
    summary_lines,
)
from crackpipe.pipeline.adapt.pick import PickRequest, pick
from crackpipe.pipeline.errors import OutputNotWritableError, UsageError


@pytest.fixture(scope="module")
def file(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All nine tiles of the run; eight are reviewed as the run found them."""
    folder = tmp_path_factory.mktemp("learn") / "tiles"
    written = pick(PickRequest(run=finished, count=9, to=folder, side_px=384)).folder / "tiles.gpkg"
    tiles = gpd.read_file(written, layer="tiles")
    tiles.assign(reviewed=tiles["tile"] != "lane1_a-3").to_file(written, layer="tiles")
    return written


def request(finished: Path, file: Path, out: Path) -> LearnRequest:
    return LearnRequest(run=finished, reviewed=file, out=out, tiles=2, processes=1)


@pytest.fixture(scope="module")
def learnt(finished: Path, file: Path, tmp_path_factory: pytest.TempPathFactory) -> Learnt:
    return learn(request(finished, file, tmp_path_factory.mktemp("mine") / "mine.safetensors"))


@pytest.mark.slow
def test_weights_say_where_they_come_from(learnt: Learnt) -> None:
    mine, start = load(learnt.out), load("lite")
    assert mine.licence == start.licence
    own = {name.strip() for name in mine.data.split(",")}
    assert {name.strip() for name in start.data.split(",")} <= own
    assert {"own_survey", "rendered_cameras"} <= own
    assert mine.name == "mine"
    assert (mine.training_gsd_mm, mine.contrast_c0) == (start.training_gsd_mm, start.contrast_c0)
    assert set(mine.metrics["adapted"]) == {"before", "after"}
    assert mine.metrics["adapted"]["after"]["pictures"] == 3
    assert mine.gsd_range_mm == gsd_range_mm(start, (1.0004, 1.0005))


@pytest.mark.slow
def test_a_tile_teaches_or_judges(learnt: Learnt) -> None:
    work = learnt.out.with_suffix("")
    taught, judges = (
        {image.stem for _, image, _ in list_pairs([work / side])} for side in ("taught", "judges")
    )
    assert (len(taught), len(judges), learnt.taught) == (5, 3, 5)
    assert not taught & judges
    assert "lane1_a-3" not in taught | judges  # nobody reviewed it
    values = recipes.given({}, work / "trained" / "train.toml")
    assert values["data"] == (work / "taught",)
    assert values["rendered"] == (work / "replay",)
    assert {name: values[name] for name in RECIPE} == RECIPE
    assert values["init"] == str(load("lite").path)


@pytest.mark.slow
def test_the_end_says_before_and_after(learnt: Learnt) -> None:
    lines = list(summary_lines(learnt))
    assert lines[0] == "5 tiles taught; on 3 tiles set aside:"
    assert any(line.startswith("| before: context-cracknet-lite, from") for line in lines)
    assert any(line.startswith("| after: mine, from") for line in lines)
    assert f"Weights: {learnt.out}" in lines


@pytest.mark.slow
def test_better_or_not_is_said(learnt: Learnt) -> None:
    better = replace(learnt, before=learnt.after, after=learnt.after)
    assert "NOT better than before" in list(summary_lines(better))[-1]
    worse = replace(
        learnt.after,
        score=replace(learnt.after.score, scores=replace(learnt.after.score.scores, f1_line=0.0)),
    )
    assert f'weights = "{learnt.out}"' in list(summary_lines(replace(learnt, before=worse)))[-1]


@pytest.mark.slow
def test_a_training_goes_on_with_its_own_labels_only(
    learnt: Learnt, finished: Path, file: Path, tmp_path: Path
) -> None:
    with pytest.raises(OutputNotWritableError, match=r"is there already: remove it, or give another --out"):
        request(finished, file, learnt.out)
    work = tmp_path / "mine"
    shutil.copytree(learnt.out.with_suffix(""), work)
    again = learn(request(finished, file, tmp_path / "mine.safetensors"))  # finds all steps done
    assert (tmp_path / "mine.safetensors").read_bytes() == learnt.out.read_bytes()
    again.out.unlink()
    tiles = gpd.read_file(file, layer="tiles")
    other = tmp_path / "other" / "tiles.gpkg"
    other.parent.mkdir()
    shutil.copy(file, other)
    tiles.assign(reviewed=True).to_file(other, layer="tiles")
    with pytest.raises(UsageError, match="begun with other labels or weights: remove that folder"):
        learn(request(finished, other, tmp_path / "mine.safetensors"))


def test_a_training_goes_on_with_its_own_options_only(tmp_path: Path) -> None:
    begun = {"weights": "w", "labels": "l", "length": "--tiles 8"}
    begun |= {"processes": "--processes 2", "device": "--device cpu"}
    (tmp_path / MADE_FROM).touch()
    _check_same(tmp_path, begun)
    drawn = tmp_path / "replay" / "drawn.png"
    drawn.parent.mkdir()
    drawn.touch()
    _check_same(tmp_path, begun)
    assert drawn.exists()
    _check_same(tmp_path, begun | {"length": "--tiles 9"})  # nothing was trained so far
    assert not drawn.exists()
    _check_same(tmp_path, begun)
    (tmp_path / "trained").mkdir()
    (tmp_path / "trained" / "checkpoint.pt").touch()
    _check_same(tmp_path, begun)
    others = {"length": "--minutes 20", "processes": "--processes 1", "device": "--device cuda"}
    for name, value in others.items():
        words = f"begun with --tiles 8 --processes 2 --device cpu, and this would be .*{value}"
        with pytest.raises(UsageError, match=f"{words}.*repeat it with those, or remove that folder"):
            _check_same(tmp_path, begun | {name: value})
    with pytest.raises(UsageError, match="other labels or weights"):
        _check_same(tmp_path, begun | {"labels": "m"})


def test_a_folder_of_other_files_is_left_alone(finished: Path, file: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "tiles.gpkg").touch()
    with pytest.raises(UsageError, match=r"mine holds other files than those of a training.*another --out"):
        learn(request(finished, file, tmp_path / "mine.safetensors"))
    assert [each.name for each in (tmp_path / "mine").iterdir()] == ["tiles.gpkg"]


def test_a_second_one_does_not_write_into_the_folder_of_a_first(
    finished: Path, file: Path, tmp_path: Path
) -> None:
    with held(tmp_path / "mine"):
        arguments = [
            "adapt",
            str(finished),
            "--train",
            str(file),
            "--out",
            str(tmp_path / "mine.safetensors"),
        ]
        result = CliRunner().invoke(cli, arguments)
    assert isinstance(result.exception, UsageError)
    assert "mine: a training is writing there (process" in str(result.exception)
    assert [each.name for each in (tmp_path / "mine").iterdir()] == ["lock"]


def test_weights_that_cannot_be_trained_are_named(tmp_path: Path, finished: Path, file: Path) -> None:
    several = tmp_path / "several.safetensors"
    save(several, ContextCrackNetLite(3), WEIGHTS_METADATA | {"classes": ["crack", "joint"]})
    with pytest.raises(ValueError, match=r"know 2 classes \(crack, joint\).*--init lite"):
        architecture_of(load(several))
    asked = replace(request(finished, file, tmp_path / "mine.safetensors"), init=str(several))
    with pytest.raises(ValueError, match="--init lite"):
        learn(asked)
    assert not (tmp_path / "mine").exists()
    gone = replace(asked, init=str(tmp_path / "gone.safetensors"))
    with pytest.raises(UsageError, match="neither a file nor embedded"):
        learn(gone)


def test_options_have_limits(finished: Path, file: Path, tmp_path: Path) -> None:
    asked = request(finished, file, tmp_path / "mine.safetensors")
    with pytest.raises(UsageError, match="--tiles is 0"):
        replace(asked, tiles=0)
    with pytest.raises(UsageError, match="--minutes is 0"):
        replace(asked, tiles=None, minutes=0.0)
    with pytest.raises(UsageError, match=r"written as \.safetensors"):
        replace(asked, out=tmp_path / "mine.pth")


def test_coarse_pictures_widen_what_is_seen_as_it_is() -> None:
    start = load("lite")
    stated = replace(start, gsd_range_mm=(0.5, 6.0))
    silent = replace(start, gsd_range_mm=None, training_gsd_mm=1.0)
    assert gsd_range_mm(stated, (1.0, 4.0)) == (0.5, 6.0)
    assert gsd_range_mm(stated, (1.0, 7.0)) == (0.5, 7.0)
    assert gsd_range_mm(silent, (3.5, 5.0)) == (pytest.approx(1 / 1.5), 5.0)
    assert gsd_range_mm(silent, None) is None


def test_a_lesson_needs_pictures(tmp_path: Path) -> None:
    (tmp_path / "taught").mkdir()
    with pytest.raises(FileNotFoundError, match="NAME/images"):
        teach(Lesson(start=load("lite"), taught=tmp_path / "taught", work=tmp_path, tiles=1))

"""Where a training's values come from: option > file > recipe > default."""

from dataclasses import replace
from pathlib import Path

import pytest

from crackpipe.model.train import recipes
from crackpipe.model.train.config import TrainConfig
from crackpipe.model.weights.read import load

LEAST = {"data": (Path("roads"),), "out": Path("w.safetensors")}


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "train.toml"
    file.write_text(text)
    return file


def test_option_before_file_before_recipe_before_default(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        'data = ["roads"]\nout = "w.safetensors"\nrecipe = "paper"\n'
        "learning_rate = 2e-4\ntiles = 90\nseed = 5\n",
    )
    config = recipes.resolve(recipes.given({"seed": 6, "minutes": None, "data": ()}, file))
    assert (config.seed, config.learning_rate, config.weight_decay) == (6, 2e-4, 1e-5)
    assert (config.tiles, config.epochs) == (90, None)
    assert config.validation_photographs == TrainConfig(**LEAST, tiles=1).validation_photographs
    assert config.data == (Path("roads"),)
    # the length that an option gives replaces another length of the file
    config = recipes.resolve(recipes.given({"minutes": 3.0}, file))
    assert (config.tiles, config.epochs, config.minutes) == (None, None, 3.0)


def test_the_paper_s_recipe() -> None:
    """Specification, section 8: BCE + Dice, AdamW 1e-4, decay 1e-5, halving after 5 epochs, batch 32."""
    config = recipes.resolve(LEAST | {"recipe": "paper"}, processes=1)
    assert (config.loss, config.learning_rate, config.weight_decay) == ("bce_dice", 1e-4, 1e-5)
    assert (config.schedule, config.plateau_epochs, config.batch) == ("plateau", 5, 32)
    assert (config.architecture, config.augmentation, config.epochs) == ("full", "published", 1000)
    assert recipes.resolve(LEAST | {"recipe": "paper"}, processes=4).batch == 8
    assert recipes.resolve(LEAST | {"recipe": "paper", "processes": 2}, processes=4).batch == 16


def test_without_a_word_it_is_an_hour_of_our_recipe() -> None:
    assert recipes.resolve(LEAST) == TrainConfig(**LEAST, minutes=60.0, processes=1)


@pytest.mark.parametrize("recipe", list(recipes.RECIPES))
def test_a_training_can_be_repeated_from_its_file(recipe: str, tmp_path: Path) -> None:
    more = {"init": "lite", "rendered": (Path('a "b"'),), "patience": 3, "licence": "CC0 \x7f"}
    config = recipes.resolve(LEAST | {"recipe": recipe} | more)
    assert recipes.resolve(recipes.given({}, written(tmp_path, recipes.as_toml(config)))) == config
    several = recipes.resolve(recipes.given(LEAST | {"classes": "crack,kerb:line"}))
    assert (several.classes, several.kinds) == (("crack", "kerb"), ("crack", "line"))
    assert recipes.resolve(recipes.given({}, written(tmp_path, recipes.as_toml(several)))) == several


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed = ", "cannot be read as TOML"),
        ("sead = 1", "unknown key 'sead'. Known keys: data"),
        ('seed = "1"', "seed is '1', but must be of type int"),
        ("bf16 = 1", "bf16 is 1.0, but must be of type bool"),
        ("seed = true", "seed is True, but must be of type int"),
        ('data = "roads"', "data is 'roads'"),
        ('classes = "crack,kerb"', "'kerb'"),
    ],
)
def test_files_with_mistakes_are_named(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        recipes.given({}, written(tmp_path, text))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"data": ()}, "no data"),
        ({"recipe": "mine"}, "choose one of ours, paper"),
        ({"loss": "hinge"}, "choose one of bce_dice"),
        ({"threshold_by": "f1"}, "choose one of iou, lines"),
        ({"paste": 1.5}, "paste is 1.5, but must be from 0 to 1"),
        ({"batch": 0}, "batch is 0, but must be at least 1"),
        ({"patience": 0}, "patience is 0, but must be above 0"),
        ({"learning_rate": float("nan")}, "learning_rate is nan"),
        ({"rendered_share": 0.5}, "without rendered sets"),
        ({"finest_gsd_mm": 0.5}, "give both"),
        ({"finest_gsd_mm": 6.0, "coarsest_gsd_mm": 0.5}, "the finest first"),
        ({"augmentation": "published", "paste": 0.5}, "leave them out"),
        ({"augmentation": "published", "least_scale": 0.25}, "leave them out"),
        ({"classes": ("crack", "joint"), "kinds": ("crack", "line"), "paste": 0.5}, "for one class"),
    ],
    ids=lambda value: "" if isinstance(value, str) else next(iter(value)),
)
def test_values_have_limits(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        recipes.resolve(LEAST | wrong)


def test_weights_need_a_place() -> None:
    with pytest.raises(ValueError, match="give --out"):
        recipes.resolve({"data": LEAST["data"]})


def test_range_and_coarse_looks_are_those_of_the_start() -> None:
    started = TrainConfig(**LEAST, tiles=1, init="lite")
    ours = recipes.with_range_of_start(started)
    assert ours.gsd_range_mm == (0.5, 6.0)
    assert ours.coarse_shift == load("lite").coarse_shift is not None
    joints = recipes.with_range_of_start(replace(started, classes=("joint",), kinds=("line",)))
    assert (joints.gsd_range_mm, joints.coarse_shift) == ((0.5, 6.0), None)  # it was chosen for cracks
    said = replace(started, finest_gsd_mm=1.0, coarsest_gsd_mm=2.0)
    for as_it_is in (said, replace(started, init=None), replace(started, init="lite-2025")):
        assert recipes.with_range_of_start(as_it_is) == as_it_is

"""Named sets of training values, and their files: option > file > recipe > default of `TrainConfig`."""

import dataclasses
import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from crackpipe.model.train.config import TrainConfig
from crackpipe.model.weights.kinds import parse
from crackpipe.model.weights.read import load

RECIPES: dict[str, dict[str, Any]] = {
    "ours": {"minutes": 60.0},
    "paper": {
        "architecture": "full",
        "epochs": 1000.0,
        "batch": 32,
        "augmentation": "published",
        "loss": "bce_dice",
        "schedule": "plateau",
        "plateau_epochs": 5,
        "learning_rate": 1e-4,
        "encoder_rate": 1.0,
        "fresh_head_rate": 1.0,
        "class_weight_power": 1.0,
        "weight_decay": 1e-5,
        "decay_vectors": True,
        "gradient_norm": float("inf"),
        "ema_decay": 0.0,
        "prior": 0.5,
        "bf16": False,
    },
}
"""`paper` is the training of Context-CrackNet's paper (arXiv 2501.14413). Where the paper does not say, an
epoch is as many tiles as there are training photographs, an improvement is one of the mean IoU over the
validation sets, and the encoder starts from ImageNet. Its batch is that of all processes together."""

_LENGTHS = ("tiles", "minutes", "epochs")


def given(options: Mapping[str, Any], file: Path | None = None) -> dict[str, Any]:
    """The values of `options`, and those of a TOML file for options that are None or empty.

    Raises ValueError for an unreadable file, an unknown key, a value of the wrong type, or wrong classes.
    """
    values = {} if file is None else _from_file(file)
    stated = {name: value for name, value in options.items() if value is not None and value != ()}
    if any(name in stated for name in _LENGTHS):
        values = {name: value for name, value in values.items() if name not in _LENGTHS}
    values |= stated
    if isinstance(values.get("classes"), str):
        values["classes"], values["kinds"] = parse(values["classes"])
    return values


def resolve(values: Mapping[str, Any], *, processes: int = 1) -> TrainConfig:
    """Complete `values`, which are fields of TrainConfig and `recipe`, from the recipe and the defaults.

    `processes` is how many processes train if the values do not say it. Raises ValueError for an unknown
    recipe, a value out of range, or if data or out are not given.
    """
    name = values.get("recipe", "ours")
    if name not in RECIPES:
        raise ValueError(f"recipe {name!r}: choose one of {', '.join(RECIPES)}")
    merged: dict[str, Any] = {"processes": processes, "data": ()} | RECIPES[name]
    if any(length in values for length in _LENGTHS):
        merged = {key: value for key, value in merged.items() if key not in _LENGTHS}
    if name == "paper":
        merged["batch"] = max(1, merged["batch"] // values.get("processes", processes))
    merged |= {key: value for key, value in values.items() if key != "recipe"}
    if not (merged["data"] or merged.get("rendered")):
        raise ValueError("no data: name folders of NAME/images and NAME/masks, or `data` in the file")
    if "out" not in merged:
        raise ValueError("no weights file to write: give --out FILE.safetensors, or `out` in the file")
    return TrainConfig(**merged)


def _from_file(file: Path) -> dict[str, Any]:
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ValueError(f"{file} cannot be read as TOML: {error}. Correct the file.") from error
    if isinstance(classes := table.get("classes"), list) and all(isinstance(one, str) for one in classes):
        table["classes"] = ",".join(classes)
    hints = get_type_hints(TrainConfig) | {"recipe": str, "classes": str}
    del hints["kinds"]  # part of `classes`
    for key in table:
        if key not in hints:
            raise ValueError(f"{file}: unknown key {key!r}. Known keys: {', '.join(hints)}")
    return {key: _checked(key, value, hints[key], file) for key, value in table.items()}


def _checked(name: str, value: Any, kind: Any, file: Path) -> Any:
    """`value` of a TOML file as the type of its field."""
    kinds = get_args(kind) if isinstance(kind, UnionType) else (kind,)
    if get_origin(kind) is tuple and isinstance(value, list) and all(isinstance(v, str) for v in value):
        return tuple(Path(each) for each in value)
    if Path in kinds and str not in kinds and isinstance(value, str):
        return Path(value)
    if isinstance(value, bool):
        fits = bool in kinds
    elif isinstance(value, int) and int not in kinds:
        fits, value = float in kinds, float(value)
    else:
        fits = type(value) in kinds
    if not fits:
        wanted = " or ".join(getattr(k, "__name__", str(k)) for k in kinds if k is not type(None))
        raise ValueError(f"{file}: {name} is {value!r}, but must be of type {wanted}")
    return value


def as_toml(config: TrainConfig) -> str:
    """A file that, given as `--config`, repeats a training; keys without a value are commented out."""
    values = dataclasses.asdict(config)
    del values["kinds"], values["resume"]
    values["classes"] = tuple(f"{one}:{kind}" for one, kind in zip(config.classes, config.kinds, strict=True))
    return "\n".join(_line(name, value) for name, value in values.items()) + "\n"


def _line(name: str, value: Any) -> str:
    if value is None:
        return f"# {name} ="
    if isinstance(value, bool | int | float):
        return f"{name} = {str(value).lower()}"
    plain = [str(each) for each in value] if isinstance(value, tuple) else str(value)
    # JSON's strings and lists of them are TOML's, but for the delete character
    return f"{name} = {json.dumps(plain, ensure_ascii=False)}".replace("\x7f", "\\u007f")


def with_range_of_start(config: TrainConfig) -> TrainConfig:
    """The configuration with the GSD range of the weights that it starts from, where it states none itself.

    With the range comes their shift of coarse looks, if the classes are the same. Without either, a run would
    resample images that the start saw as they are, and leave the wide cracks that it found.
    """
    if config.init is None or config.gsd_range_mm is not None:
        return config
    start = load(config.init)
    if start.gsd_range_mm is None:
        return config
    finest_mm, coarsest_mm = start.gsd_range_mm
    shift = start.coarse_shift if start.classes == config.classes else None
    return dataclasses.replace(
        config, finest_gsd_mm=finest_mm, coarsest_gsd_mm=coarsest_mm, coarse_shift=shift
    )

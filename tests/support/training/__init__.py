"""Small sets, and trainings of seconds on them."""

from pathlib import Path

import numpy as np
from PIL import Image

from crackpipe.model.render.labels import LABELS
from crackpipe.model.train.config import TrainConfig


def config(roads: Path, out: Path, **changes: object) -> TrainConfig:
    settings: dict[str, object] = {
        "data": (roads,), "out": out, "tiles": 4, "processes": 1, "batch": 1, "pretrained": False,
        "bf16": False, "validations": 0,
    }  # fmt: skip
    return TrainConfig(**settings | changes)  # type: ignore[arg-type]


def write_set(folder: Path, values: list[int], names: tuple[str, ...] = LABELS) -> None:
    """One picture whose mask has one column of each value."""
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    mask = np.array([values] * 4, np.uint8)
    Image.fromarray(np.full((*mask.shape, 3), 90, np.uint8)).save(folder / "images" / "a.png")
    Image.fromarray(mask).save(folder / "masks" / "a.png")
    if names:
        (folder / "classes.txt").write_text("\n".join(names) + "\n")

"""Roads to train on."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="session")
def roads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six roads with one dark crack each; two of them (0 and 1) fall on the validation side."""
    folder = tmp_path_factory.mktemp("data")
    for part in ("images", "masks"):
        (folder / "cfd" / part).mkdir(parents=True)
    for number in range(6):
        rng = np.random.default_rng(number)
        image = rng.normal(150, 8, (320, 384, 3))  # one tile of validation each
        mask = np.zeros((320, 384), np.uint8)
        col = 100 + 40 * number
        mask[:, col : col + 4] = 255
        image[mask > 0] -= 90
        Image.fromarray(image.clip(0, 255).astype(np.uint8)).save(folder / "cfd/images" / f"{number}.jpg")
        Image.fromarray(mask).save(folder / "cfd/masks" / f"{number}.png")
    return folder

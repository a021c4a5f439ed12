"""The paper's augmentations: pixels and labels move together, and nothing from outside comes in."""

import numpy as np
import torch

from crackpipe.model.data.pairs import Pair
from crackpipe.model.data.paper_augment import MARGIN_PX, augment
from crackpipe.model.data.tiles import TrainingTiles

SIZE_PX = 448 + 2 * MARGIN_PX


def test_labels_stay_on_their_cracks() -> None:
    image = np.full((SIZE_PX, SIZE_PX, 3), 200, np.uint8)
    label = np.zeros((SIZE_PX, SIZE_PX), np.uint8)
    label[380:400, :], label[:, 300:320] = 1, 255
    image[label == 1] = 50
    turned = 0
    for seed in range(12):
        tile, moved = augment(image, label, 448, seed)
        assert tile.shape == (448, 448, 3)
        assert tile.dtype == moved.dtype == np.uint8
        assert set(np.unique(moved)) <= {0, 1, 255}
        dark = tile.astype(int).sum(axis=-1) < 375
        assert (dark & (moved != 255))[moved == 1].mean() > 0.93  # but for the edge and noise
        assert dark[moved == 0].mean() < 0.01
        turned += 1 < len(np.unique(np.argwhere(moved == 1)[:, 0])) - 20 < 400
    assert turned > 0


def test_no_corner_comes_from_outside() -> None:
    """White road stays bright to its corners, however it is turned and shifted."""
    image = np.full((SIZE_PX, SIZE_PX, 3), 255, np.uint8)
    label = np.full((SIZE_PX, SIZE_PX), 1, np.uint8)
    for seed in range(25):
        tile, moved = augment(image, label, 448, seed)
        assert tile.min() > 100
        assert (moved == 1).all()


def test_a_seed_decides_and_torch_s_generator_is_left_alone() -> None:
    image = np.random.default_rng(0).integers(0, 255, (SIZE_PX, SIZE_PX, 3), np.uint8)
    label = (image[..., 0] > 128).astype(np.uint8)
    before = torch.random.get_rng_state()
    one, two, other = (augment(image, label, 448, seed)[0] for seed in (4, 4, 5))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert (one == two).all()
    assert (one != other).any()


def test_tiles_of_small_photographs_are_filled_by_reflection() -> None:
    image = np.full((100, 130, 3), 255, np.uint8)
    label = np.ones((100, 130), np.uint8)
    pair = Pair("one", "a", image, label, np.argwhere(label).astype(np.int32)[:5])
    tiles = TrainingTiles([pair], seed=0, as_in_paper=True)
    pixels, labels = tiles[3]
    assert pixels.shape == (3, 448, 448)
    assert (labels == 1).all()
    assert int(pixels.min()) > 100

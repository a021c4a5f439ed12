"""Labels of several classes: from masks of a set, through every change of a tile."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from training import write_set

from crackpipe.model.data import augment
from crackpipe.model.data.pairs import Pair, load_pairs, pixels_per_class
from crackpipe.model.data.tiles import draw_tile
from crackpipe.model.render.labels import LABELS

STILL = augment.Odds(turn=0, tone=0, grey=0, saturation=0, shadow=0, noise=0, blur=0, jpeg=0)


def label_row(folder: Path, classes: tuple[str, ...]) -> list[int]:
    [pair] = load_pairs([folder], validation=False, classes=classes)
    return pair.label[0].tolist()  # type: ignore[no-any-return]


def test_masks_of_indices_become_the_classes_asked_for(tmp_path: Path) -> None:
    write_set(tmp_path, [0, 1, 2, 3, 4, 255])
    assert label_row(tmp_path, LABELS) == [0, 1, 2, 3, 4, 255]
    assert label_row(tmp_path, ("joint", "crack")) == [0, 2, 0, 1, 0, 255]
    assert label_row(tmp_path, ("crack",)) == [0, 1, 0, 0, 0, 255]
    [pair] = load_pairs([tmp_path], validation=False, classes=LABELS)
    assert pair.crack_at[:, 1].tolist() == [1] * 4 + [2] * 4 + [3] * 4 + [4] * 4
    assert pixels_per_class([pair], 4).tolist() == [4] * 5


def test_masks_of_crack_or_not_know_crack_only(tmp_path: Path) -> None:
    write_set(tmp_path, [0, 255, 126, 127, 128], names=())
    assert label_row(tmp_path, ("joint", "crack")) == [0, 2, 0, 255, 2]
    assert label_row(tmp_path, ("joint", "kerb")) == [0, 0, 0, 255, 0]


def test_masks_that_do_not_fit_their_classes_are_refused(tmp_path: Path) -> None:
    write_set(tmp_path, [0, 1, 5])
    with pytest.raises(ValueError, match=r"a\.png has the value 5, but classes\.txt beside it names 4"):
        label_row(tmp_path, LABELS)
    (tmp_path / "classes.txt").write_text("crack\ncrack\n")
    with pytest.raises(ValueError, match="different names needed"):
        label_row(tmp_path, LABELS)


@pytest.mark.parametrize("turn", [0.0, 1.0])
def test_every_class_stays_on_its_pixels(turn: float) -> None:
    """Stripes of grey values 40 k: whatever is done to a tile, labels are those of its grey values."""
    stripes = np.repeat(np.arange(5, dtype=np.uint8), 40)[None].repeat(320, axis=0).repeat(2, axis=1)
    label = np.ascontiguousarray(stripes.T)
    image = (label * 40)[..., None].repeat(3, axis=-1)
    pair = Pair("roads", "1", image, label, np.argwhere(label > 0).astype(np.int32))
    seen: set[int] = set()
    for seed in range(6):
        tile, moved = draw_tile([pair], np.random.default_rng(seed), replace(STILL, turn=turn))
        sure = np.abs(tile[..., 0] - np.rint(tile[..., 0] / 40) * 40) < 3
        inside = sure & (np.rint(tile[..., 0] / 40) == moved)
        assert inside.sum() >= 0.97 * sure.sum()
        seen |= set(np.unique(moved).tolist())
    assert seen == {0, 1, 2, 3, 4}


def test_ignored_pixels_stay_ignored() -> None:
    label = np.zeros((40, 40), np.uint8)
    label[10:14], label[20:24] = 255, 3
    image = label[..., None].repeat(3, axis=-1)
    _, small = augment.resize_pair(image, label, 20, 20)
    # half the size: any share of an ignored pixel is ignored, of a class 0.4 is needed
    assert small[:, 5].tolist() == [0] * 4 + [255] * 4 + [0] * 2 + [3] * 2 + [0] * 8


def test_the_larger_share_of_a_pixel_counts_and_of_equal_ones_the_lower_index() -> None:
    """Half the size: columns 3 to 6 of 1, 3, 3, 1 parts are column 2."""
    image = np.zeros((8, 8, 3), np.uint8)
    for columns, index in (
        ([1, 1, 1, 1, 1, 2, 2, 2], 1),
        ([1, 1, 1, 1, 2, 1, 2, 2], 1),
        ([1] * 4 + [2] * 4, 2),
    ):
        label = np.array([columns] * 8, np.uint8)
        assert augment.resize_pair(image, label, 4, 4)[1][:, 2].tolist() == [index] * 4

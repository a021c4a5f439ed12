from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from crackpipe.model import augment, datasets
from crackpipe.model.datasets import Pair, TileNumbers, TrainingTiles

SPLITS = Path(__file__).parents[2] / "docs" / "splits" / "validation.txt"

STILL = augment.Odds(turn=0, tone=0, grey=0, saturation=0, shadow=0, noise=0, blur=0, jpeg=0)


def striped_pair(height: int, width: int, set_name: str = "roads") -> Pair:
    """A dark diagonal on a light road, whose label is exactly the dark pixels."""
    rows, cols = np.indices((height, width))
    label = (np.abs(rows - cols) < 4).astype(np.uint8)
    image = np.where(label[..., None] == 1, 80, 200).astype(np.uint8).repeat(3, axis=-1)
    return Pair(set_name, "1", image, label, np.argwhere(label).astype(np.int32))


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
        ("cfd", "002", "002"),
    ],
)
def test_crops_know_their_photograph(set_name: str, stem: str, photograph: str) -> None:
    assert datasets.photograph_of(set_name, stem) == photograph


def test_crops_of_a_photograph_stay_together() -> None:
    for number in range(50):
        sides = {datasets.is_validation("deepcrack", f"train_IMG{number}-{crop}") for crop in range(5)}
        assert len(sides) == 1
        road = f"APVD_{number:02d}"
        part = datasets.is_validation("negatives_nha12d", f"{road}_360_0")
        assert part == datasets.is_validation("nha12d", road)


def test_written_split_is_the_one_in_the_code() -> None:
    lines = [line for line in SPLITS.read_text().splitlines() if line and not line.startswith("#")]
    assert len(lines) > 100
    for line in lines:
        set_name, stem = line.split("/")
        assert datasets.is_validation(set_name, stem), line


def test_load_splits_and_decodes(tmp_path: Path) -> None:
    for number in range(40):
        write_pair(tmp_path / "cfd", f"{number:03d}")
    write_pair(tmp_path / "mine", "a", mask_value=0)
    (tmp_path / "notes").mkdir()
    training = datasets.load_pairs([tmp_path], validation=False)
    validation = datasets.load_pairs([tmp_path], validation=True)
    assert len(training) + len(validation) == 41
    assert {pair.set_name for pair in validation} == {"cfd"}
    assert {pair.stem for pair in validation}.isdisjoint(pair.stem for pair in training)
    sound = training[-1]
    assert (sound.set_name, len(sound.crack_at), sound.label.max()) == ("mine", 0, 0)
    assert training[0].label[5].all()
    assert training[0].label.sum() == 30


def test_errors_name_the_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="one folder per set"):
        datasets.list_pairs([tmp_path])
    write_pair(tmp_path / "mine", "a", shape=(20, 31))
    with pytest.raises(ValueError, match=r"a\.png is 31x20 px but .*a\.jpg is 30x20 px"):
        datasets.load_pairs([tmp_path], validation=False)
    (tmp_path / "mine" / "masks" / "a.png").unlink()
    with pytest.raises(FileNotFoundError, match="has no mask"):
        datasets.list_pairs([tmp_path])


def test_a_folder_may_be_a_set_itself(tmp_path: Path) -> None:
    write_pair(tmp_path / "rendered", "a")
    names = [name for name, _, _ in datasets.list_pairs([tmp_path / "rendered"])]
    assert names == ["rendered"]


def darkness(image: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """At least 0.4 of the way from the road (200) to the crack (80): where a resized label is crack."""
    return image.mean(axis=-1) <= 152


def test_what_nobody_inspected_is_ignored(tmp_path: Path) -> None:
    write_pair(tmp_path / "mine", "a", mask_value=datasets.MASK_NOT_INSPECTED)
    (pair,) = datasets.load_pairs([tmp_path], validation=False)
    assert (pair.label[5] == 255).all()
    assert len(pair.crack_at) == 0
    assert np.delete(pair.label, 5, axis=0).max() == 0


@pytest.mark.parametrize("turn", [0.0, 1.0])
def test_ignored_pixels_travel_with_their_photograph(turn: float) -> None:
    """A bright band that nobody inspected: whatever is done to the tile, no part of it is judged."""
    pair = striped_pair(500, 600)
    image, label = pair.image.copy(), pair.label.copy()
    image[200:240], label[200:240] = 255, 255
    pair = Pair("roads", "1", image, label, np.argwhere(label == 1).astype(np.int32))
    odds = augment.Odds(turn=turn, tone=0, grey=0, saturation=0, shadow=0, noise=0, blur=0, jpeg=0)
    ignored = 0
    for seed in range(8):
        tile, tile_label = datasets.draw_tile([pair], np.random.default_rng(seed), odds)
        assert set(np.unique(tile_label)) <= {0, 1, 255}
        # 200 is the road; a turn overshoots to some 205 beside a crack, far below half of the band's 255
        assert (tile_label[tile[..., 0] >= 230] == 255).all()
        ignored += int((tile_label == 255).sum())
    assert ignored > 0


@pytest.mark.parametrize("shape", [(133, 133), (141, 240), (360, 360), (320, 480), (900, 700)])
@pytest.mark.parametrize("turn", [0.0, 1.0])
def test_labels_stay_on_their_cracks(shape: tuple[int, int], turn: float) -> None:
    """Whatever the size, scale, mirror and angle: the label is where the dark pixels are."""
    pair = striped_pair(*shape)
    odds = augment.Odds(turn=turn, tone=0, grey=0, saturation=0, shadow=0, noise=0, blur=0, jpeg=0)
    for seed in range(6):
        image, label = datasets.draw_tile([pair], np.random.default_rng(seed), odds)
        assert image.shape == (448, 448, 3)
        assert label.shape == (448, 448)
        assert set(np.unique(label)) <= {0, 1}
        differing = darkness(image) != (label == 1)
        assert differing.sum() <= 0.15 * (label.sum() + 100)  # half-covered pixels along the edges
        assert image.min() >= 30  # no black corner of a turned tile (80, less the overshoot of bicubic)


def test_tile_depends_on_seed_and_number_only() -> None:
    pairs = [striped_pair(400, 500), striped_pair(150, 140, "small")]
    one, two = TrainingTiles(pairs, seed=5), TrainingTiles(pairs, seed=5)
    one[0]
    assert all((a == b).all() for a, b in zip(one[7], two[7], strict=True))
    assert not (one[7][0] == TrainingTiles(pairs, seed=6)[7][0]).all()
    image, label = one[3]
    assert image.shape == (3, 448, 448)
    assert label.shape == (448, 448)


def test_processes_share_the_tile_numbers() -> None:
    both = [list(islice(TileNumbers(100, rank, 2), 3)) for rank in range(2)]
    assert both == [[100, 102, 104], [101, 103, 105]]


def test_most_tiles_hold_a_crack() -> None:
    pair = striped_pair(2000, 2000)
    held = [datasets.draw_tile([pair], np.random.default_rng(seed), STILL)[1].any() for seed in range(60)]
    assert 0.6 < np.mean(held) < 1


def test_mirror_repeats_at_any_distance() -> None:
    line = np.arange(4, dtype=np.uint8)[None, :, None].repeat(3, axis=2)
    window = augment.reflected_window(line, 0, -5, 1, 15)
    assert window[0, :, 0].tolist() == [1, 2, 3, 2, 1, 0, 1, 2, 3, 2, 1, 0, 1, 2, 3]
    assert augment.reflected_window(line, 0, 1, 1, 2)[0, :, 0].tolist() == [1, 2]


def test_every_disturbance_keeps_shape_and_type() -> None:
    image = striped_pair(448, 448).image
    always = augment.Odds(turn=1, tone=1, grey=0, saturation=1, shadow=1, noise=1, blur=1, jpeg=1)
    for seed in range(5):
        out = augment.disturb(image, np.random.default_rng(seed), always)
        assert out.shape == image.shape
        assert out.dtype == np.uint8
        assert out.std() > 5
    grey = augment.disturb(image, np.random.default_rng(0), augment.Odds(0, 0, 1, 0, 0, 0, 0, 0))
    assert (grey[..., 0] == grey[..., 2]).all()


def test_rendered_roads_make_the_share_that_is_asked_for() -> None:
    none = np.zeros((0, 2), np.int32)
    pairs = [
        Pair(name, "a", np.full((448, 448, 3), grey, np.uint8), np.zeros((448, 448), np.uint8), none)
        for name, grey in (("deepcrack", 0), ("mine", 80), ("drawn", 160), ("more", 240))
    ]
    quiet = augment.Odds(0, 0, 0, 0, 0, 0, 0, 0)
    tiles = TrainingTiles(pairs, 1, quiet, rendered=("drawn", "more"), rendered_share=0.25)
    greys = [int(tiles[number][0][0, 0, 0]) for number in range(400)]
    assert 70 <= sum(grey >= 160 for grey in greys) <= 130  # 100 +- 3.5 deviations
    # sets of photographs keep their proportions, here 20 : 10
    assert 1.5 <= greys.count(0) / greys.count(80) <= 2.7

"""Files of photographs and masks: what is read, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image

from crackpipe.model.data.pictures import open_mask, open_rgb

PLACED = rasterio.Affine(1, 0, 0, 0, -1, 1)
PIXELS = np.arange(64, dtype=np.uint8).reshape(8, 8)


def test_eight_bits_are_read_as_they_are(tmp_path: Path) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    assert (open_mask(tmp_path / "a.png") == PIXELS).all()
    assert (open_rgb(tmp_path / "a.png") == PIXELS[..., None]).all()


@pytest.mark.parametrize(
    ("name", "dtype"), [("a.png", np.uint16), ("a.tif", np.int32), ("a.tif", np.float32)]
)
def test_more_bits_are_refused(tmp_path: Path, name: str, dtype: type) -> None:
    """Pillow would make them white."""
    Image.fromarray(PIXELS.astype(dtype) * 500).save(tmp_path / name)
    with pytest.raises(ValueError, match=rf"{name} has more than 8 bits .*: save it with 8 bits per channel"):
        open_rgb(tmp_path / name)


@pytest.mark.parametrize(
    ("stored", "read"),
    [
        ([0, 65535], [0, 255]),
        ([0, 32639, 65535], [0, 127, 255]),  # 127 * 257: 8 bits made 16
        ([0, 127, 255], [0, 127, 255]),
        ([0, 1], [0, 1]),
        ([0, 514], [0, 2]),
    ],
    ids=str,
)
def test_a_mask_of_more_bits_is_read_where_it_is_plain(
    tmp_path: Path, stored: list[int], read: list[int]
) -> None:
    Image.fromarray(np.array([stored, stored], np.uint16)).save(tmp_path / "a.png")
    mask = open_mask(tmp_path / "a.png")
    assert mask.dtype == np.uint8
    assert mask.tolist() == [read, read]


@pytest.mark.parametrize(
    ("stored", "named"),
    [([0, 300], 300), ([0, 32768, 65535], 32768), ([0, 127, 65535], 127), ([0, 4095], 4095)],
    ids=str,
)
def test_a_mask_of_more_bits_is_refused_where_it_is_not(
    tmp_path: Path, stored: list[int], named: int
) -> None:
    """Pillow would make all of it above 255 crack, also what nobody labelled."""
    Image.fromarray(np.array([stored], np.uint16)).save(tmp_path / "a.png")
    with pytest.raises(ValueError, match=rf"a\.png .* up to {stored[-1]}, and {named} is .*: save it with 8"):
        open_mask(tmp_path / "a.png")


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_a_mask_of_other_numbers_is_read_by_the_same_rule(tmp_path: Path, dtype: type) -> None:
    Image.fromarray(np.array([[0, 255]], dtype)).save(tmp_path / "a.tif")
    assert open_mask(tmp_path / "a.tif").tolist() == [[0, 255]]
    for strange in (-1, 70000, *([np.nan, 0.5] if dtype == np.float32 else [])):
        Image.fromarray(np.array([[0, strange]], dtype)).save(tmp_path / "a.tif")
        with pytest.raises(ValueError, match=r"a\.tif has more than 8 bits"):
            open_mask(tmp_path / "a.tif")


def test_several_channels_of_16_bits_are_refused(tmp_path: Path) -> None:
    """Pillow keeps their upper 8 bits, of which 255 has none."""
    profile = {"width": 2, "height": 1, "count": 3, "dtype": "uint16", "driver": "PNG", "transform": PLACED}
    with rasterio.open(tmp_path / "a.png", "w", **profile) as written:
        written.write(np.full((3, 1, 2), 255, np.uint16))
    with pytest.raises(ValueError, match=r"a\.png has more than 8 bits .*: save it with 8 bits per channel"):
        open_rgb(tmp_path / "a.png")
    with pytest.raises(
        ValueError, match=r"a\.png has several channels of 16 bits.*: save it with 8 bits and one"
    ):
        open_mask(tmp_path / "a.png")


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
@pytest.mark.parametrize("kept", [0, 20, 0.5, 0.9])
def test_a_damaged_file_is_named(tmp_path: Path, suffix: str, kept: float) -> None:
    file = tmp_path / f"a{suffix}"
    noise = np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8)
    Image.fromarray(noise).save(file)
    content = file.read_bytes()
    file.write_bytes(content[: int(kept * len(content)) if 0 < kept < 1 else int(kept)])
    for read in (open_rgb, open_mask):
        with pytest.raises(ValueError, match=rf"a\{suffix} cannot be read as an image .*make the file anew"):
            read(file)


def test_an_enormous_size_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with pytest.raises(ValueError, match=r"a\.png cannot be read .*exceeds limit"):
        open_rgb(tmp_path / "a.png")

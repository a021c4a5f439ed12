"""Files of photographs and masks: what is read, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from crackpipe.model.data.pictures import open_mask, open_rgb

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

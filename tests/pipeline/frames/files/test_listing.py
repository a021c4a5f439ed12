"""Which frames a folder holds, by their headers alone."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from deliveries import names_of, write_frames
from PIL import Image

from crackpipe.pipeline.errors import NoReadableImageError, UsageError
from crackpipe.pipeline.frames.files.listing import list_frames


def picture(path: Path, width: int, exif: bytes | None = None) -> None:
    pixels = np.zeros((30, width), np.uint8)
    Image.fromarray(pixels).save(path, **({} if exif is None else {"exif": exif}))


def test_frames_come_in_the_order_of_the_numbers_in_their_names(tmp_path: Path) -> None:
    write_frames(tmp_path, ["f10.jpg", "f9.jpg", "lane2/f1.jpg"])
    frames, aside = list_frames(tmp_path, [])
    assert [frame.name for frame in frames] == ["f9.jpg", "f10.jpg", "lane2/f1.jpg"]
    assert (frames[0].height_px, frames[0].width_px, aside) == (30, 40, [])


@pytest.mark.parametrize(
    "exif", [b"Exif\0\0garbage", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0MM\0*" + b"\xff" * 99]
)
def test_damaged_exif_says_nothing_and_the_frame_stays(tmp_path: Path, exif: bytes) -> None:
    picture(tmp_path / "a.jpg", 40, exif)
    frames, aside = list_frames(tmp_path, [])
    assert [frame.name for frame in frames] == ["a.jpg"]
    assert np.isnan(frames[0].exif.time_s)
    assert not aside


def test_a_picture_of_400_megapixels_is_no_bomb_as_long_as_only_its_header_is_read(tmp_path: Path) -> None:
    head = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(b"\0" * 100)), (b"IEND", b"")]
    data = b"\x89PNG\r\n\x1a\n"
    for kind, body in chunks:
        data += struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    (tmp_path / "a.png").write_bytes(data)
    frames, _ = list_frames(tmp_path, [])
    assert (frames[0].height_px, frames[0].width_px) == (20_000, 20_000)


def test_a_few_frames_of_another_camera_are_set_aside(tmp_path: Path) -> None:
    write_frames(tmp_path, names_of(8))
    picture(tmp_path / "other.jpg", 50)
    frames, aside = list_frames(tmp_path, [])
    assert len(frames) == 8
    assert [(each.name, each.reason) for each in aside] == [("other.jpg", "other-camera")]
    assert "it is 50 x 30 px, but 8 frames are 40 x 30 px" in aside[0].said


def test_two_cameras_in_equal_parts_are_refused(tmp_path: Path) -> None:
    write_frames(tmp_path, names_of(3))
    for number in range(3):
        picture(tmp_path / f"other{number}.jpg", 50)
    with pytest.raises(UsageError, match=r"of 2 cameras.*--exclude"):
        list_frames(tmp_path, [])


def test_a_folder_without_pictures_is_told(tmp_path: Path) -> None:
    (tmp_path / "readme.md").write_text("nothing")
    with pytest.raises(NoReadableImageError, match="holds no frame that can be read"):
        list_frames(tmp_path, [])

"""New values in a crackpipe.toml leave the rest of it alone."""

import tomllib
from pathlib import Path

import pytest

from crackpipe.pipeline.calibrate.toml_file import check_folder, with_values, write_values
from crackpipe.pipeline.errors import ConfigurationError, OutputNotWritableError

WRITTEN = """\
# our camera
halo_px = 48   # as in 2024
  sigma_psf_px=0.7  # a guess
# contrast = 55
tone = "srgb"
"""


def test_values_change_in_place_and_all_else_stays() -> None:
    changed = with_values(WRITTEN, {"sigma_psf_px": 0.66, "contrast": 61.5})
    assert changed == WRITTEN.replace("=0.7 ", "=0.66 ") + "contrast = 61.5\n"


def test_a_file_without_line_end_and_one_of_windows() -> None:
    assert with_values("batch = 2", {"contrast": 60.0}) == "batch = 2\ncontrast = 60.0\n"
    assert with_values("batch = 2\r\n", {"contrast": 60.0}) == "batch = 2\r\ncontrast = 60.0\r\n"
    assert with_values("", {"contrast": 60.0}) == "contrast = 60.0\n"


def test_twice_is_once() -> None:
    once = with_values(WRITTEN, {"contrast": 61.5})
    assert with_values(once, {"contrast": 61.5}) == once


def test_new_keys_come_before_tables() -> None:
    changed = with_values("a = 1\n[other]\ncontrast = 3\n", {"contrast": 60.0})
    assert tomllib.loads(changed) == {"a": 1, "contrast": 60.0, "other": {"contrast": 3}}


def test_what_only_looks_like_a_key_is_not_touched() -> None:
    text = 'note = """\ncontrast = 1\n"""\ncontrast = 2\n'
    with pytest.raises(ConfigurationError, match=r"by hand: contrast = 60\.0"):
        with_values(text, {"contrast": 60.0})


def test_a_broken_file_is_named_and_left(tmp_path: Path) -> None:
    file = tmp_path / "crackpipe.toml"
    file.write_text("halo_px = \n")
    with pytest.raises(ConfigurationError, match=r"crackpipe\.toml cannot be read as TOML"):
        write_values(file, {"contrast": 60.0})
    assert file.read_text() == "halo_px = \n"


def test_the_file_is_replaced_with_its_rights_and_a_link_stays_one(tmp_path: Path) -> None:
    real, link = tmp_path / "real.toml", tmp_path / "crackpipe.toml"
    real.write_bytes(b"batch = 2\r\n")
    real.chmod(0o640)
    link.symlink_to(real)
    write_values(link, {"contrast": 60.0})
    assert link.is_symlink()
    assert real.read_bytes() == b"batch = 2\r\ncontrast = 60.0\r\n"
    assert real.stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in tmp_path.iterdir()) == ["crackpipe.toml", "real.toml"]


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    file = tmp_path / "none" / "crackpipe.toml"
    with pytest.raises(OutputNotWritableError, match="none is no folder"):
        check_folder(file)
    with pytest.raises(OutputNotWritableError, match="--out"):
        write_values(file, {"contrast": 60.0})
    check_folder(tmp_path / "crackpipe.toml")

"""What a person lets be done again between runs."""

import os
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from helpers import tree_hash

from crackpipe.cli import cli
from crackpipe.pipeline.config import Config
from crackpipe.pipeline.request import Request
from crackpipe.pipeline.run import run


def test_an_image_whose_disk_failed_is_done_after_a_retry(
    survey: Path, finished: Path, tmp_path: Path
) -> None:
    """Neither its size nor its time tells that it can be read again."""
    folder, out = tmp_path / survey.name, tmp_path / "out"
    shutil.copytree(survey, folder)
    shutil.copytree(finished, out, symlinks=True)
    image = folder / "lane1/b.tif"
    whole = image.read_bytes()
    at = len(whole) // 2
    image.write_bytes(whole[:at] + bytes(1000) + whole[at + 1000 :])
    os.utime(image, (1e9, 1e9))
    request = Request((folder,), out, Config(), serial=True)
    assert "lane1/b.tif" in {each["image_id"] for each in run(request).quarantined}

    image.write_bytes(whole)
    os.utime(image, (1e9, 1e9))
    assert run(request).images_run == 0
    done = CliRunner().invoke(cli, ["retry-quarantined", str(out)])
    assert done.output.splitlines() == [
        "lane1/b.tif: unreadable-block",
        "1 images will be tried again: run the same command as before",
    ]
    assert run(request).images_run == 1
    assert tree_hash(out) == tree_hash(finished)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("status", "images unfinished: 0 (0 blocks on disk)"),
        ("clean", "0 unfinished images and 0 partial files removed"),
    ],
)
def test_an_output_whose_survey_is_planned_for_the_first_time_has_no_images(
    command: str, said: str, tmp_path: Path
) -> None:
    """A survey in object storage is mirrored before the run makes its own folders."""
    (tmp_path / ".crackpipe" / "cloud").mkdir(parents=True)
    done = CliRunner().invoke(cli, [command, str(tmp_path)])
    assert done.exit_code == 0, done.exception
    assert said in done.output.splitlines()

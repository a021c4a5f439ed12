"""Names of files stay on their line of a terminal or a log, and move nothing."""

import json
from pathlib import Path

import pytest
from bad_files import CASES, image_id_of

from crackpipe.pipeline.console.log import log, logging_to, talk_to_stderr
from crackpipe.pipeline.console.printable import shown
from crackpipe.pipeline.publish import quarantine_line


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("lane 1/Straße 7, 路面.tif", "lane 1/Straße 7, 路面.tif"),
        ("a\x1b[2Jb", r"a\x1b[2Jb"),
        ("a\r\nquarantined: none", r"a\r\nquarantined: none"),
        ("fit.\u202egpj", r"fit.\u202egpj"),
        ("stra\udcdfe", r"stra\udcdfe"),
        ("\x07\x9b\u2028", r"\x07\x9b\u2028"),
    ],
)
def test_shown_text_stays_on_its_line_and_moves_nothing(text: str, expected: str) -> None:
    assert shown(text) == expected


def test_hostile_names_are_escaped_in_talk_and_log(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (case,) = (case for case in CASES if "escape sequences" in case.what)
    row = {"image_id": image_id_of(case), "reason": "no-crs", "message": "a\nb", "remedy": "c\x1b[0m"}
    line = quarantine_line(row)
    assert line.isprintable()
    assert r"a\n\x1b[2J<script>|`.tif" in line
    talk_to_stderr()
    with logging_to(tmp_path, keep=1) as file:
        log.warning(f"{case.name}\u202e")
    talk = capfd.readouterr().err
    assert talk.rstrip("\n").isprintable()
    (entry,) = file.read_text("ascii").splitlines()
    assert json.loads(entry)["message"] == f"{case.name}\u202e"

"""Deliveries that are wrong: a sentence with file, line and remedy, and a row for every frame."""

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from crackpipe.pipeline.errors import UsageError
from crackpipe.pipeline.frames.deliver import Delivery
from deliveries import surveyed

COUNT = 8
Rewrite = Callable[[str], str]


def made(folder: Path, positions: str = "positions.csv", **options: object) -> Delivery:
    """The survey of a delivery, in whose record each frame has a row that says what became of it."""
    where = positions if positions == "exif" else folder / positions
    survey = surveyed(folder, where, seams=False, **options)
    rows = list(csv.DictReader((folder / "survey" / "frames.csv").open(encoding="utf-8")))
    names = {str(path.relative_to(folder / "frames")) for path in (folder / "frames").rglob("*.jpg")}
    assert {row["frame"] for row in rows} == names, "a frame has no row"
    assert all(
        row["reason"] and row["message"] and row["remedy"] for row in rows if row["status"] != "placed"
    )
    return survey


def refused(folder: Path, said: str, positions: str = "positions.csv", **options: object) -> None:
    with pytest.raises(UsageError, match=said):
        made(folder, positions, **options)
    assert not (folder / "survey").exists()


def rewritten(folder: Path, how: Rewrite) -> None:
    file = folder / "positions.csv"
    file.write_text(how(file.read_text()))

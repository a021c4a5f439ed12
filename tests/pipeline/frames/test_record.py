"""What is written down of a delivery, and what is not written into."""

import csv
import tomllib
from pathlib import Path

import numpy as np
import pytest
from deliveries import HEADING, bytes_of, deliver, places, surveyed, write_frames

from crackpipe.pipeline.errors import CrackpipeError, OutputNotWritableError, UsageError
from crackpipe.pipeline.frames.deliver import make_survey
from crackpipe.pipeline.frames.record import placed_earlier
from crackpipe.pipeline.frames.told import told_by
from crackpipe.pipeline.survey.sidecars.world_files import read_world_file


def test_every_frame_has_a_row(tmp_path: Path) -> None:
    frames, positions, _ = deliver(tmp_path)
    write_frames(frames, ["0099.jpg"])
    (frames / "broken.jpg").write_bytes(b"no picture")
    (frames / "old.bmp").write_bytes(b"BM")
    lines = positions.read_text().splitlines()
    lines[3] = "0003.jpg,-1,-1,63"
    lines[4] = "0004.jpg,,,63"
    positions.write_text("\n".join(lines))
    survey = surveyed(tmp_path)
    rows = list(csv.DictReader((tmp_path / "survey" / "frames.csv").open()))
    assert {row["frame"] for row in rows} == {path.name for path in frames.iterdir()}
    reasons = {row["frame"]: row["reason"] for row in rows if row["status"] == "set aside"}
    assert reasons == {
        "0003.jpg": "no-position",
        "0004.jpg": "no-position",
        "0099.jpg": "no-position",
        "broken.jpg": "not-an-image",
        "old.bmp": "not-supported",
    }
    assert all(row["message"] and row["remedy"] for row in rows if row["status"] == "set aside")
    assert len(survey.rows) == 6


def test_no_name_in_the_record_is_run_by_a_spreadsheet_and_each_is_had_back(tmp_path: Path) -> None:
    frames, positions, _ = deliver(tmp_path)
    for number, name in enumerate(("=1+1.jpg", "'=2.jpg", "'quoted.jpg"), start=1):
        (frames / f"000{number}.jpg").rename(frames / name)
        positions.write_text(positions.read_text().replace(f"000{number}.jpg", name))
    (frames / "@broken.jpg").write_bytes(b"no picture")
    surveyed(tmp_path)
    rows = list(csv.DictReader((tmp_path / "survey" / "frames.csv").open()))
    assert {"'=1+1.jpg", "''=2.jpg", "'quoted.jpg", "'@broken.jpg"} < {row["frame"] for row in rows}
    assert {row["longitude"][0] for row in rows if row["longitude"]} <= set("0123456789-")  # numbers stay
    placed = {path.name for path in frames.iterdir()} - {"@broken.jpg"}
    assert set(placed_earlier(tmp_path / "survey")) == placed
    told = told_by(tmp_path / "survey")
    assert told is not None and "@broken.jpg" in {event.frame for event in told.events}


def test_survey_toml_names_each_assumption(tmp_path: Path) -> None:
    deliver(tmp_path)
    surveyed(tmp_path)
    values = tomllib.loads((tmp_path / "survey" / "survey.toml").read_text())
    source = {each["what"]: each["from"] for each in values["assumption"]}
    assert source["mm_per_px_along"] == "camera.toml"
    assert source["ahead_m"] == "assumed"
    assert all(each["ten_percent"] for each in values["assumption"])


def test_pictures_with_one_stem_keep_their_own_world_files(tmp_path: Path) -> None:
    frames, positions, _ = deliver(tmp_path, 4)
    write_frames(frames, ["0001.jpeg"])
    lines = positions.read_text().splitlines()
    lon, lat = places(5)[4]
    positions.write_text("\n".join([*lines, f"0001.jpeg,{lat},{lon},{HEADING}"]))
    surveyed(tmp_path)
    first = read_world_file(tmp_path / "survey" / "0001.jpg.jgw").transform
    second = read_world_file(tmp_path / "survey" / "0001.jpeg.jgw").transform
    assert np.hypot(first.c - second.c, first.f - second.f) == pytest.approx(8.0, rel=1e-3)


def test_a_record_that_was_edited_leads_nowhere(tmp_path: Path) -> None:
    deliver(tmp_path)
    surveyed(tmp_path)
    table = tmp_path / "survey" / "frames.csv"
    table.write_text(table.read_text() + "../frames/0001.jpg,placed,,,,,,,,,\n")
    surveyed(tmp_path)
    assert (tmp_path / "frames" / "0001.jpg").exists()


def test_a_folder_of_something_else_is_not_written_into(tmp_path: Path) -> None:
    deliver(tmp_path)
    (tmp_path / "survey").mkdir()
    (tmp_path / "survey" / "thesis.txt").write_text("mine")
    with pytest.raises(OutputNotWritableError, match="was not made by"):
        surveyed(tmp_path)
    assert bytes_of(tmp_path / "survey") == {"thesis.txt": b"mine"}


def test_the_survey_may_not_lie_in_the_frames(tmp_path: Path) -> None:
    frames, positions, camera = deliver(tmp_path)
    with pytest.raises(UsageError, match="lie in each other"):
        make_survey(frames, str(positions), frames / "survey", camera_file=camera)


def test_refused_it_leaves_nothing(tmp_path: Path) -> None:
    deliver(tmp_path, camera='up = "ahead"\n')
    with pytest.raises(CrackpipeError, match=r"mm_per_px = 1\.0"):
        surveyed(tmp_path)
    assert not (tmp_path / "survey").exists()

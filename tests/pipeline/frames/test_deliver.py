"""A delivery becomes a survey: places, files, and what happens when it is done again."""

import csv
import os
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

import numpy as np
import pytest
from deliveries import HEADING, deliver, names_of, places, true_transform, write_csv, write_frames

from crackpipe.pipeline.errors import CrackpipeError, OutputNotWritableError, UsageError
from crackpipe.pipeline.frames.deliver import Delivery, make_survey
from crackpipe.pipeline.frames.record import placed_earlier
from crackpipe.pipeline.frames.told import told_by
from crackpipe.pipeline.survey.files.find import find_images
from crackpipe.pipeline.survey.sidecars.world_files import read_world_file


def made(folder: Path, **options: object) -> Delivery:
    frames, positions = folder / "frames", folder / "positions.csv"
    camera = folder / "camera.toml"
    return make_survey(frames, str(positions), folder / "survey", camera_file=camera, **options)  # type: ignore[arg-type]


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def times_of(folder: Path) -> dict[str, int]:
    return {p.name: p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}


def test_each_frame_lies_where_it_was_taken(tmp_path: Path) -> None:
    deliver(tmp_path)
    made(tmp_path)
    for number, name in enumerate(names_of(8)):
        found = read_world_file((tmp_path / "survey" / name).with_suffix(".jgw")).transform
        # 1e-4 px, in world units of 2 mm
        assert np.allclose(found, true_transform(number), rtol=0, atol=2e-7)


@pytest.mark.parametrize(
    ("up", "turned"), [("ahead", 0.0), ("right", 90.0), ("behind", 180.0), ("left", 270.0)]
)
def test_the_top_of_a_picture_looks_where_it_is_said(tmp_path: Path, up: str, turned: float) -> None:
    deliver(tmp_path, 6, f'mm_per_px = 2.0\nup = "{up}"\n')
    made(tmp_path)
    found = read_world_file(tmp_path / "survey" / "0003.jgw").transform
    assert np.allclose(found, true_transform(2, heading=HEADING + turned), rtol=0, atol=2e-7)


def test_a_lever_arm_moves_the_frame_ahead(tmp_path: Path) -> None:
    deliver(tmp_path, 6, "mm_per_px = 2.0\nahead_m = 1.5\n")
    made(tmp_path)
    found = read_world_file(tmp_path / "survey" / "0003.jgw").transform
    assert np.allclose(found, true_transform(2, ahead_m=1.5), rtol=0, atol=1e-6)


def test_mount_lane_and_up_as_worked_out_by_hand(tmp_path: Path) -> None:
    """On UTM's middle meridian grid north is north and a metre is 0.9996 m; the vehicle drives east.

    From the antenna the picture's middle is 2.0 m ahead (east) and 0.5 + 1.25 m to the right (south).
    The top looks left, to the north, so rows run south. Along the road, which is along the columns, a pixel
    is 4 mm, across it, along the rows, 3 mm. So the upper left corner lies 20 columns west and 15 rows north
    of the middle.
    """
    frames, positions, camera = deliver(tmp_path, 1)
    positions.write_text("filename,x,y,heading\n0001.jpg,500000,5900000,90\n")
    camera.write_text(
        'mm_per_px_along = 4.0\nmm_per_px_across = 3.0\nup = "left"\nahead_m = 2.0\nright_m = 0.5\n'
        "lane_offset_m = 1.25\n"
    )
    make_survey(frames, str(positions), tmp_path / "survey", camera_file=camera, positions_crs="EPSG:25832")
    found = read_world_file(tmp_path / "survey" / "0001.jgw").transform
    scale = 0.9996
    east, north = 500_000 + 2.0 * scale, 5_900_000 - 1.75 * scale
    assert (found.a, found.e) == pytest.approx((0.004 * scale, -0.003 * scale), rel=1e-6)
    assert (found.b, found.d) == pytest.approx((0, 0), abs=1e-8)
    assert (found.c, found.f) == pytest.approx(
        (east - 20 * 0.004 * scale, north + 15 * 0.003 * scale), abs=1e-5
    )


def test_along_and_across_may_differ(tmp_path: Path) -> None:
    deliver(tmp_path, 6, 'mm_per_px_along = 3.0\nmm_per_px_across = 1.0\nup = "left"\n')
    made(tmp_path)
    found = read_world_file(tmp_path / "survey" / "0003.jgw").transform
    # UTM is .9996 to .9997 of the ground's length here; columns run along the road
    assert np.hypot(found.a, found.d) == pytest.approx(0.003, rel=5e-4)
    assert np.hypot(found.b, found.e) == pytest.approx(0.001, rel=5e-4)


def test_without_headings_the_track_tells_them(tmp_path: Path) -> None:
    deliver(tmp_path)
    text = (tmp_path / "positions.csv").read_text()
    (tmp_path / "positions.csv").write_text(text.replace("heading", "remark"))
    survey = made(tmp_path)
    assert {row.heading_from for row in survey.rows} == {"track"}
    for number, name in enumerate(names_of(8)):
        found = read_world_file((tmp_path / "survey" / name).with_suffix(".jgw")).transform
        assert np.allclose(found, true_transform(number), rtol=0, atol=1e-5)


def test_a_run_takes_the_survey(tmp_path: Path) -> None:
    from crackpipe.pipeline.config import Config
    from crackpipe.pipeline.survey.load import load_survey

    deliver(tmp_path)
    made(tmp_path)
    loaded = load_survey([tmp_path / "survey"], Config())
    assert not loaded.rejected
    assert [round(image.gsd_mm, 4) for image in loaded.images] == [2.0] * 8


def test_survey_toml_names_each_assumption(tmp_path: Path) -> None:
    deliver(tmp_path)
    made(tmp_path)
    values = tomllib.loads((tmp_path / "survey" / "survey.toml").read_text())
    source = {each["what"]: each["from"] for each in values["assumption"]}
    assert source["mm_per_px_along"] == "camera.toml"
    assert source["ahead_m"] == "assumed"
    assert all(each["ten_percent"] for each in values["assumption"])


def test_done_again_nothing_is_touched(tmp_path: Path) -> None:
    deliver(tmp_path)
    made(tmp_path)
    before = times_of(tmp_path / "survey"), bytes_of(tmp_path / "survey")
    again = made(tmp_path)
    assert again.written == 0
    assert (times_of(tmp_path / "survey"), bytes_of(tmp_path / "survey")) == before


def test_frames_that_come_later_are_added_and_the_rest_stays(tmp_path: Path) -> None:
    frames, positions, _ = deliver(tmp_path)
    made(tmp_path)
    before = times_of(tmp_path / "survey")
    write_frames(frames, names_of(11)[8:])
    write_csv(positions, names_of(11))
    assert made(tmp_path).written == 3
    after = times_of(tmp_path / "survey")
    same = [name for name in before if not name.endswith((".toml", ".csv", ".json", ".txt"))]
    assert len(same) == 24
    assert {name: after[name] for name in same} == {name: before[name] for name in same}
    (tmp_path / "survey").rename(tmp_path / "grown")
    made(tmp_path)
    assert bytes_of(tmp_path / "survey") == bytes_of(tmp_path / "grown")


@pytest.mark.parametrize("call", [*range(0, 27, 3), 26])
def test_killed_and_repeated_it_has_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    """The n-th renaming never happens, as when the process is killed before it."""
    deliver(tmp_path)
    made(tmp_path)
    (tmp_path / "survey").rename(tmp_path / "undisturbed")
    calls = iter(range(1000))
    rename = Path.replace

    class KilledError(BaseException):
        pass

    def replace(self: Path, target: Path) -> Path:
        if next(calls) == call:
            raise KilledError
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises(KilledError):
        made(tmp_path)
    monkeypatch.undo()
    images = [*(tmp_path / "survey").glob("*.jpg")]
    assert all(image.with_suffix(".jgw").exists() for image in images)
    made(tmp_path)
    assert bytes_of(tmp_path / "survey") == bytes_of(tmp_path / "undisturbed")


def test_frames_are_hard_links_and_no_symbolic_ones(tmp_path: Path) -> None:
    frames, _, _ = deliver(tmp_path)
    made(tmp_path)
    image = tmp_path / "survey" / "0001.jpg"
    assert image.stat().st_ino == (frames / "0001.jpg").stat().st_ino
    assert not image.is_symlink()


def test_across_file_systems_frames_are_copied_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    frames, _, _ = deliver(tmp_path)
    assert made(tmp_path).written == 8
    image = tmp_path / "survey" / "0001.jpg"
    assert image.read_bytes() == (frames / "0001.jpg").read_bytes()
    assert image.stat().st_ino != (frames / "0001.jpg").stat().st_ino
    assert made(tmp_path).written == 0


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="needs a second file system, /dev/shm")
def test_on_a_second_file_system_frames_are_copied_and_known_again() -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as there, tempfile.TemporaryDirectory() as here:
        if Path(there).stat().st_dev == Path(here).stat().st_dev:
            pytest.skip("/dev/shm is no file system of its own here")
        frames, positions, camera = deliver(Path(there))
        survey = Path(here) / "survey"
        assert make_survey(frames, str(positions), survey, camera_file=camera).written == 8
        image, frame = survey / "0001.jpg", frames / "0001.jpg"
        assert image.read_bytes() == frame.read_bytes()
        assert image.stat().st_mtime_ns == frame.stat().st_mtime_ns
        assert make_survey(frames, str(positions), survey, camera_file=camera).written == 0


@pytest.mark.slow
def test_killed_while_it_writes_and_called_again_it_has_the_same_bytes(tmp_path: Path) -> None:
    """SIGKILL, as from the system that runs out of memory: nothing is half, nothing is left over."""
    frames, positions, camera = deliver(tmp_path, 1500)
    command = [sys.executable, "-m", "crackpipe", "frames", str(frames), "--positions", str(positions)]
    command += ["--camera", str(camera), "--no-seams", "--out"]
    subprocess.run([*command, str(tmp_path / "whole")], check=True, stdout=subprocess.DEVNULL)
    survey = tmp_path / "survey"
    for least in (1, 400, 1100):
        process = subprocess.Popen([*command, str(survey)], stdout=subprocess.DEVNULL)
        # a deadline that only a broken machine reaches
        for _ in range(60_000):
            if process.poll() is not None or len([*survey.glob("*.jpg")]) >= least:
                break
            time.sleep(0.002)
        process.kill()
        process.wait()
        images = [*survey.glob("*.jpg")]
        assert len(images) >= least
        for image in images:
            assert image.read_bytes() == (frames / image.name).read_bytes()
            assert read_world_file(image.with_suffix(".jgw")).transform
            assert image.with_suffix(".prj").stat().st_size
    subprocess.run([*command, str(survey)], check=True, stdout=subprocess.DEVNULL)
    assert bytes_of(survey) == bytes_of(tmp_path / "whole")


def test_every_frame_has_a_row(tmp_path: Path) -> None:
    frames, positions, _ = deliver(tmp_path)
    write_frames(frames, ["0099.jpg"])
    (frames / "broken.jpg").write_bytes(b"no picture")
    (frames / "old.bmp").write_bytes(b"BM")
    lines = positions.read_text().splitlines()
    lines[3] = "0003.jpg,-1,-1,63"
    lines[4] = "0004.jpg,,,63"
    positions.write_text("\n".join(lines))
    survey = made(tmp_path)
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
    made(tmp_path)
    rows = list(csv.DictReader((tmp_path / "survey" / "frames.csv").open()))
    assert {"'=1+1.jpg", "''=2.jpg", "'quoted.jpg", "'@broken.jpg"} < {row["frame"] for row in rows}
    assert {row["longitude"][0] for row in rows if row["longitude"]} <= set("0123456789-")  # numbers stay
    placed = {path.name for path in frames.iterdir()} - {"@broken.jpg"}
    assert set(placed_earlier(tmp_path / "survey")) == placed
    told = told_by(tmp_path / "survey")
    assert told is not None and "@broken.jpg" in {event.frame for event in told.events}


def test_a_frame_that_lost_its_position_leaves_the_survey(tmp_path: Path) -> None:
    _, positions, _ = deliver(tmp_path)
    made(tmp_path)
    text = positions.read_text().replace("0003.jpg", "gone.jpg")
    positions.write_text(text)
    made(tmp_path)
    assert not [*(tmp_path / "survey").glob("0003.*")]  # nor its world file and .prj
    assert (tmp_path / "frames" / "0003.jpg").exists()
    assert len([*(tmp_path / "survey").glob("*.jgw")]) == len([*(tmp_path / "survey").glob("*.prj")]) == 7


def test_images_whose_frames_are_gone_stay_and_are_named(tmp_path: Path) -> None:
    """They may be the last copy."""
    deliver(tmp_path)
    made(tmp_path)
    (tmp_path / "frames" / "0003.jpg").unlink()
    assert any(
        "1 images of earlier calls stay" in note and "0003.jpg" in note for note in made(tmp_path).notes
    )
    assert (tmp_path / "survey" / "0003.jpg").exists() and (tmp_path / "survey" / "0003.jgw").exists()


def test_a_record_that_was_edited_leads_nowhere(tmp_path: Path) -> None:
    deliver(tmp_path)
    made(tmp_path)
    table = tmp_path / "survey" / "frames.csv"
    table.write_text(table.read_text() + "../frames/0001.jpg,placed,,,,,,,,,\n")
    made(tmp_path)
    assert (tmp_path / "frames" / "0001.jpg").exists()


def test_a_folder_of_something_else_is_not_written_into(tmp_path: Path) -> None:
    deliver(tmp_path)
    (tmp_path / "survey").mkdir()
    (tmp_path / "survey" / "thesis.txt").write_text("mine")
    with pytest.raises(OutputNotWritableError, match="was not made by"):
        made(tmp_path)
    assert bytes_of(tmp_path / "survey") == {"thesis.txt": b"mine"}


def test_the_survey_may_not_lie_in_the_frames(tmp_path: Path) -> None:
    frames, positions, camera = deliver(tmp_path)
    with pytest.raises(UsageError, match="lie in each other"):
        make_survey(frames, str(positions), frames / "survey", camera_file=camera)


def test_pictures_with_one_stem_keep_their_own_world_files(tmp_path: Path) -> None:
    frames, positions, _ = deliver(tmp_path, 4)
    write_frames(frames, ["0001.jpeg"])
    lines = positions.read_text().splitlines()
    lon, lat = places(5)[4]
    positions.write_text("\n".join([*lines, f"0001.jpeg,{lat},{lon},{HEADING}"]))
    made(tmp_path)
    first = read_world_file(tmp_path / "survey" / "0001.jpg.jgw").transform
    second = read_world_file(tmp_path / "survey" / "0001.jpeg.jgw").transform
    assert np.hypot(first.c - second.c, first.f - second.f) == pytest.approx(8.0, rel=1e-3)


def test_a_second_picture_of_one_stem_leaves_no_world_file_for_both(tmp_path: Path) -> None:
    """0001.jgw would be that of 0001.jpg and of 0001.jpeg."""
    frames, positions, _ = deliver(tmp_path, 4)
    made(tmp_path)
    write_frames(frames, ["0001.jpeg"])
    lon, lat = places(5)[4]
    positions.write_text(f"{positions.read_text()}0001.jpeg,{lat},{lon},{HEADING}\n")
    made(tmp_path)
    assert not (tmp_path / "survey" / "0001.jgw").exists()
    (tmp_path / "frames" / "0001.jpeg").unlink()
    (tmp_path / "survey" / "0001.jpeg").unlink()
    positions.write_text("\n".join(positions.read_text().splitlines()[:-1]))
    made(tmp_path)
    assert {p.name for p in (tmp_path / "survey").glob("0001*")} == {"0001.jpg", "0001.jgw", "0001.prj"}


def test_refused_it_leaves_nothing(tmp_path: Path) -> None:
    deliver(tmp_path, camera='up = "ahead"\n')
    with pytest.raises(CrackpipeError, match=r"mm_per_px = 1\.0"):
        made(tmp_path)
    assert not (tmp_path / "survey").exists()


def test_images_found_are_those_that_were_placed(tmp_path: Path) -> None:
    deliver(tmp_path)
    survey = made(tmp_path)
    found = [each.image_id for each in find_images([tmp_path / "survey"]).candidates]
    assert found == [row.name for row in survey.rows]

"""A survey that is made again, from more or fewer frames, after a kill, or over file systems."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from deliveries import HEADING, bytes_of, deliver, names_of, places, surveyed, write_csv, write_frames

from crackpipe.pipeline.frames.deliver import make_survey
from crackpipe.pipeline.survey.sidecars.world_files import read_world_file


def times_of(folder: Path) -> dict[str, int]:
    return {p.name: p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}


def test_done_again_nothing_is_touched(tmp_path: Path) -> None:
    deliver(tmp_path)
    surveyed(tmp_path)
    before = times_of(tmp_path / "survey"), bytes_of(tmp_path / "survey")
    again = surveyed(tmp_path)
    assert again.written == 0
    assert (times_of(tmp_path / "survey"), bytes_of(tmp_path / "survey")) == before


def test_frames_that_come_later_are_added_and_the_rest_stays(tmp_path: Path) -> None:
    frames, positions, _ = deliver(tmp_path)
    surveyed(tmp_path)
    before = times_of(tmp_path / "survey")
    write_frames(frames, names_of(11)[8:])
    write_csv(positions, names_of(11))
    assert surveyed(tmp_path).written == 3
    after = times_of(tmp_path / "survey")
    same = [name for name in before if not name.endswith((".toml", ".csv", ".json", ".txt"))]
    assert len(same) == 24
    assert {name: after[name] for name in same} == {name: before[name] for name in same}
    (tmp_path / "survey").rename(tmp_path / "grown")
    surveyed(tmp_path)
    assert bytes_of(tmp_path / "survey") == bytes_of(tmp_path / "grown")


def test_a_frame_that_lost_its_position_leaves_the_survey(tmp_path: Path) -> None:
    _, positions, _ = deliver(tmp_path)
    surveyed(tmp_path)
    text = positions.read_text().replace("0003.jpg", "gone.jpg")
    positions.write_text(text)
    surveyed(tmp_path)
    assert not [*(tmp_path / "survey").glob("0003.*")]  # nor its world file and .prj
    assert (tmp_path / "frames" / "0003.jpg").exists()
    assert len([*(tmp_path / "survey").glob("*.jgw")]) == len([*(tmp_path / "survey").glob("*.prj")]) == 7


def test_images_whose_frames_are_gone_stay_and_are_named(tmp_path: Path) -> None:
    """They may be the last copy."""
    deliver(tmp_path)
    surveyed(tmp_path)
    (tmp_path / "frames" / "0003.jpg").unlink()
    assert any(
        "1 images of earlier calls stay" in note and "0003.jpg" in note for note in surveyed(tmp_path).notes
    )
    assert (tmp_path / "survey" / "0003.jpg").exists() and (tmp_path / "survey" / "0003.jgw").exists()


def test_a_second_picture_of_one_stem_leaves_no_world_file_for_both(tmp_path: Path) -> None:
    """0001.jgw would be that of 0001.jpg and of 0001.jpeg."""
    frames, positions, _ = deliver(tmp_path, 4)
    surveyed(tmp_path)
    write_frames(frames, ["0001.jpeg"])
    lon, lat = places(5)[4]
    positions.write_text(f"{positions.read_text()}0001.jpeg,{lat},{lon},{HEADING}\n")
    surveyed(tmp_path)
    assert not (tmp_path / "survey" / "0001.jgw").exists()
    (tmp_path / "frames" / "0001.jpeg").unlink()
    (tmp_path / "survey" / "0001.jpeg").unlink()
    positions.write_text("\n".join(positions.read_text().splitlines()[:-1]))
    surveyed(tmp_path)
    assert {p.name for p in (tmp_path / "survey").glob("0001*")} == {"0001.jpg", "0001.jgw", "0001.prj"}


@pytest.mark.parametrize("call", [*range(0, 27, 3), 26])
def test_killed_and_repeated_it_has_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    """The n-th renaming never happens, as when the process is killed before it."""
    deliver(tmp_path)
    surveyed(tmp_path)
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
        surveyed(tmp_path)
    monkeypatch.undo()
    images = [*(tmp_path / "survey").glob("*.jpg")]
    assert all(image.with_suffix(".jgw").exists() for image in images)
    surveyed(tmp_path)
    assert bytes_of(tmp_path / "survey") == bytes_of(tmp_path / "undisturbed")


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


# ---- links and copies


def test_frames_are_hard_links_and_no_symbolic_ones(tmp_path: Path) -> None:
    frames, _, _ = deliver(tmp_path)
    surveyed(tmp_path)
    image = tmp_path / "survey" / "0001.jpg"
    assert image.stat().st_ino == (frames / "0001.jpg").stat().st_ino
    assert not image.is_symlink()


def test_across_file_systems_frames_are_copied_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    frames, _, _ = deliver(tmp_path)
    assert surveyed(tmp_path).written == 8
    image = tmp_path / "survey" / "0001.jpg"
    assert image.read_bytes() == (frames / "0001.jpg").read_bytes()
    assert image.stat().st_ino != (frames / "0001.jpg").stat().st_ino
    assert surveyed(tmp_path).written == 0


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

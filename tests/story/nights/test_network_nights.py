"""Five nights of a network with real files: killed, resumed, silent, on a full disk, without its share."""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import geopandas
import jsonschema
import pytest
import shapely
from helpers import crack, is_group_gone, tree_hash, write_scene
from paths import ROOT

from crackpipe.model.render.picture import clean_scene
from crackpipe.pipeline.nightly import night
from crackpipe.pipeline.nightly.facts import network
from crackpipe.pipeline.nightly.facts.budget import Budget
from crackpipe.pipeline.storage import sealed

SCHEMA = json.loads((ROOT / "docs/use/nightly.schema.json").read_text())

NETWORK = """
output = "disk/out"
timezone = "Europe/Berlin"
keep_nights = 3

[sources.north]
folder = "share/north"
quiet_minutes = 0
settings = { unit_tiles = 1 }
sections = { centreline = "roads.gpkg", length = "1m" }
report = true

[tell]
metrics = "crackpipe.prom"

[tell.hooks.file]
command = ["tee", "-a", "told.md"]
"""


def draw(survey: Path, names: str, *, shade: int = 0) -> None:
    """An image with one crack for each letter, each at a place of its own."""
    for name in names:
        scene = clean_scene(300, 420, seed=ord(name) + shade, cracks=(crack(40, 60, 260, 380, 4.0),))
        write_scene(survey / f"{name}.tif", scene, x=500_000.0 + ord(name))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A share with two surveys, a road along them, and network.toml."""
    north = tmp_path / "share/north"
    draw(north / "s1", "ab")
    (north / "s1/survey.toml").write_text("acquired = 2025-05-01\n")
    draw(north / "s2", "cdefgh")
    (north / "s2/broken.tif").write_bytes(b"")
    road = shapely.LineString([(500_090, 5_399_999.9), (500_110, 5_399_999.9)])
    frame = geopandas.GeoDataFrame({"route_id": ["r"]}, geometry=[road], crs="EPSG:25832")
    frame.to_file(tmp_path / "roads.gpkg")
    (tmp_path / "disk").mkdir()
    (tmp_path / "network.toml").write_text(NETWORK)
    return tmp_path


@pytest.fixture
def small_disk(home: Path) -> Iterator[Path]:
    """The network's output on a disk of its own; needs root."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", str(home / "disk")]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("mounting a tmpfs needs root")
    try:
        yield home / "disk"
    finally:
        subprocess.run(["umount", "-l", str(home / "disk")], check=True)


def begun(home: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "crackpipe", "nightly", "network.toml", "--serial"]
    return subprocess.Popen(
        command, cwd=home, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def whole(home: Path) -> tuple[int, str]:
    """Exit code of a night, and all that it said."""
    process = begun(home)
    out, errors = process.communicate()
    return process.returncode, out + errors


def cpu_s() -> float:
    """Seconds that all ended processes had of a CPU; other work on the machine does not count."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def summary(home: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((home / "disk/out/summary.json").read_text())
    jsonschema.validate(found, SCHEMA)
    return found


def states(home: Path) -> dict[str, str]:
    return {each["survey"]: each["state"] for each in summary(home)["surveys"]}


def metrics(home: Path) -> dict[str, float]:
    lines = (home / "crackpipe.prom").read_text().splitlines()
    pairs = [line.rpartition(" ") for line in lines if not line.startswith("#")]
    return {name.removeprefix("crackpipe_nightly_"): float(value) for name, _, value in pairs}


def told(home: Path) -> str:
    """What the hook was told since this was asked last."""
    file = home / "told.md"
    found = file.read_text() if file.exists() else ""
    file.unlink(missing_ok=True)
    return found


def in_tables(home: Path) -> dict[tuple[str, str], int]:
    """Images with cracks by year and survey, as DuckDB reads the network's folder."""
    files = f"{home}/disk/out/network/cracks/*/*/*.parquet"
    query = f"select year::varchar, survey, count(distinct image_id) from '{files}' group by all"
    return {(year, survey): count for year, survey, count in duckdb.sql(query).fetchall()}


def markers(home: Path, survey: str) -> list[Path]:
    return list((home / f"disk/out/surveys/north/{survey}-cracks/.crackpipe/markers").glob("*.json"))


def result(home: Path, survey: str) -> Path:
    return home / f"disk/out/surveys/north/{survey}-cracks"


def power_fails(home: Path) -> int:
    """All processes are killed while the second of two surveys is at work; its images that were finished."""
    process = begun(home)
    while len(markers(home, "s2")) < 2:
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert len(markers(home, "s1")) == 2
    assert told(home) == ""
    half = len(markers(home, "s2"))
    assert half < 6
    return half


def the_next_night_goes_on(home: Path, half: int) -> None:
    """It begins with the second survey, finds a third, and an image of the first was replaced."""
    draw(home / "share/north/s1", "b", shade=50)
    draw(home / "share/north/s3", "i")
    code, said = whole(home)
    assert code == 3, said
    order = [line.rpartition("/")[2] for line in said.splitlines() if line.endswith(("s1", "s2", "s3"))]
    assert order == ["s2", "s1", "s3"]
    assert states(home) == {"north/s1": "done", "north/s2": "done", "north/s3": "done"}
    run = {each["survey"]: each["images"]["run"] for each in summary(home)["surveys"]}
    assert run == {"north/s1": 1, "north/s2": 6 - half, "north/s3": 1}
    assert in_tables(home) == {("2025", "s1"): 2, ("unknown", "s2"): 6, ("unknown", "s3"): 1}
    latest = geopandas.read_parquet(home / "disk/out/network/latest_sections.parquet")
    assert len(latest) == 20 and latest.section_id.is_unique
    assert all((result(home, survey) / "report.html").exists() for survey in ("s1", "s2", "s3"))
    figures = metrics(home)
    assert figures["exit_code"] == 3
    assert figures['images{source="north",status="done"}'] == 9
    assert figures['images{source="north",status="quarantined"}'] == 1
    assert figures["last_success_timestamp_seconds"] == pytest.approx(time.time(), abs=600)
    assert "north/s2: broken.tif: empty-file" in told(home)


def nothing_is_new(home: Path) -> None:
    """An old image is in quarantine: silence, within seconds."""
    before = cpu_s()
    code, said = whole(home)
    assert code == 3, said
    assert cpu_s() - before < 10
    assert set(states(home).values()) == {"unchanged"}
    assert told(home) == ""
    assert metrics(home)["exit_code"] == 3


def the_disk_is_full(home: Path) -> None:
    """To the last byte, for two nights, while an image is new."""
    draw(home / "share/north/s1", "z")
    rows, before = in_tables(home), tree_hash(result(home, "s1"))
    fill = home / "disk/fill"
    with pytest.raises(OSError, match="No space left"), fill.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
    code, said = whole(home)
    assert code == 74, said
    heard = told(home)
    assert heard.count("No space left") == 1, heard
    assert (in_tables(home), tree_hash(result(home, "s1"))) == (rows, before)
    code, said = whole(home)
    assert code == 74, said
    heard = told(home)
    assert heard == "", heard
    fill.unlink()


def the_share_is_not_mounted(home: Path) -> None:
    """For two nights; the disk has room again."""
    rows = in_tables(home)
    (home / "share").rename(home / "elsewhere")
    (home / "share/north").mkdir(parents=True)
    code, said = whole(home)
    assert code == 66, said
    new, _, over = told(home).partition("## Over")
    assert "Check that its disk is mounted" in new
    assert "No space left" in over
    assert set(states(home).values()) == {"unreachable"}
    assert in_tables(home) == rows
    assert metrics(home)['images{source="north",status="done"}'] == 9
    assert whole(home)[0] == 66
    assert told(home) == ""
    shutil.rmtree(home / "share")
    (home / "elsewhere").rename(home / "share")


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_nights_of_a_network(home: Path, small_disk: Path) -> None:
    the_next_night_goes_on(home, power_fails(home))
    before = tree_hash(result(home, "s2"))
    nothing_is_new(home)
    rows = in_tables(home)
    the_disk_is_full(home)
    the_share_is_not_mounted(home)
    code, said = whole(home)  # and all is right again
    assert code == 3, said
    assert in_tables(home) == {**rows, ("2025", "s1"): 3}
    new, _, over = told(home).partition("## Over")
    assert "## New" not in new
    assert "Check that its disk is mounted" in over
    assert tree_hash(result(home, "s2")) == before
    assert len(list((home / "disk/out/nights").iterdir())) == 3  # keep_nights
    assert small_disk.is_mount()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_night_cut_at_its_end_goes_on_with_the_same_bytes(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = NETWORK.replace("report = true", "").replace(
        'sections = { centreline = "roads.gpkg", length = "1m" }', ""
    )
    (home / "network.toml").write_text(text)
    read = network.read(home / "network.toml")
    real_time = time.time

    def clock() -> float:
        """As of a machine that slept: past the end as soon as two images of s2 are finished."""
        return real_time() + (36_000 if len(markers(home, "s2")) >= 2 else 0)

    monkeypatch.chdir(home)
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", clock)
        patch.setattr("crackpipe.pipeline.nightly.child._LOOKS_AT_CLOCK_EVERY_S", 0.02)
        cut = night.night(read, Budget(real_time() + 18_000, "until then"), ["--serial"])
    assert cut.code == 0
    assert {key: each.state for key, each in cut.outcomes.items()} == {
        "north/s1": "done",
        "north/s2": "cut off",
    }
    left = cut.outcomes["north/s2"].images_left
    assert left == 6 - len(markers(home, "s2")) and 0 < left < 6
    assert f"left: {left} images, about" in (home / "disk/out/summary.md").read_text()
    assert sealed.read_sealed(home / "disk/out/memory.json")["surveys"]["north/s2"]["unfinished"]  # type: ignore[index]

    done = night.night(read, Budget(), ["--serial"])
    assert done.code == 3 and done.outcomes["north/s2"].images_run == left
    assert done.outcomes["north/s1"].state == "unchanged"

    undisturbed = night.night(replace(read, output=home / "other", sources=(
        replace(read.sources[0], results=home / "other/surveys/north"),
    )), Budget(), ["--serial"])  # fmt: skip
    assert undisturbed.code == 3
    for survey in ("s1", "s2"):
        assert tree_hash(result(home, survey)) == tree_hash(home / f"other/surveys/north/{survey}-cracks")
    tables = [home / "disk/out/network/.versions", home / "other/network/.versions"]
    newest = [max(each.iterdir(), key=lambda path: int(path.name)) for each in tables]
    found = [{str(f.relative_to(root)): f.read_bytes() for f in root.rglob("*.parquet")} for root in newest]
    assert found[0] == found[1]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_night_beside_another_does_nothing_and_a_night_that_is_told_to_end_ends(home: Path) -> None:
    first = begun(home)
    while not markers(home, "s1"):
        assert first.poll() is None, first.communicate()
        time.sleep(0.01)
    code, said = whole(home)
    assert code == 75, said
    assert f"another night is at work in {home}/disk/out: process {first.pid}" in said
    assert not (home / "disk/out/summary.json").exists() and told(home) == ""
    first.terminate()
    began = time.monotonic()
    out, errors = first.communicate()
    assert first.returncode == 143, out + errors
    assert time.monotonic() - began < 15
    assert is_group_gone(first.pid, within_s=10)
    memory = sealed.read_sealed(home / "disk/out/memory.json")
    assert memory is not None
    begun_only = [name for name, known in memory["surveys"].items() if known["unfinished"]]
    assert len(begun_only) == 1
    written = summary(home)  # before the end
    assert written["exit_code"] == 143
    [cut] = [each for each in written["surveys"] if each["state"] == "cut off"]
    assert cut["survey"] == begun_only[0]
    assert cut["images"]["left"] == (2 if cut["survey"] == "north/s1" else 7) - len(
        markers(home, cut["survey"][-2:])
    )
    assert "the night was told to end (SIGTERM)" in told(home)

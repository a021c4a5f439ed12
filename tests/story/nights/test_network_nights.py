"""Five nights of a network with real files: killed, resumed, silent, on a full disk, without its share."""

import os
import resource
import shutil
import signal
import time
from pathlib import Path

import duckdb
import geopandas
import pytest
from disks import mounted
from helpers import tree_hash
from nights import begun, draw, markers, result, states, summary, told, whole


def cpu_s() -> float:
    """Seconds that all ended processes had of a CPU; other work on the machine does not count."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def metrics(home: Path) -> dict[str, float]:
    lines = (home / "crackpipe.prom").read_text().splitlines()
    pairs = [line.rpartition(" ") for line in lines if not line.startswith("#")]
    return {name.removeprefix("crackpipe_nightly_"): float(value) for name, _, value in pairs}


def in_tables(home: Path) -> dict[tuple[str, str], int]:
    """Images with cracks by year and survey, as DuckDB reads the network's folder."""
    files = f"{home}/disk/out/network/cracks/*/*/*.parquet"
    query = f"select year::varchar, survey, count(distinct image_id) from '{files}' group by all"
    return {(year, survey): count for year, survey, count in duckdb.sql(query).fetchall()}


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
def test_nights_of_a_network(home: Path) -> None:
    with mounted(home / "disk", "32m") as small_disk:
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

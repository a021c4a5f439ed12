"""Nights that end before their work does: at their hour, when told to, and beside another."""

import time
from dataclasses import replace
from pathlib import Path

import pytest
from helpers import is_group_gone, tree_hash
from nights import NETWORK, begun, markers, result, summary, told, whole

from crackpipe.pipeline.nightly import night
from crackpipe.pipeline.nightly.facts import network
from crackpipe.pipeline.nightly.facts.budget import Budget
from crackpipe.pipeline.storage import sealed


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

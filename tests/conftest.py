"""A small real survey, who runs beside whom, and a guard against tests that leave something behind.

The survey is rendered pavement with known cracks, and what belongs into quarantine.
"""

import fcntl
import os
import sys
import tempfile
from collections.abc import Generator, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from helpers import STRIP_CRACK, crack, write_scene

from crackpipe.model.render.picture import clean_scene
from crackpipe.pipeline.config import Config
from crackpipe.pipeline.raster import gdal  # noqa: F401  sets what GDAL reads from the environment
from crackpipe.pipeline.request import Request
from crackpipe.pipeline.run import run


@pytest.fixture(scope="session")
def survey(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three images to inspect (two of several blocks if blocks are small) and three for quarantine.

    They have few tiles, as each takes the network 0.1 s in every run: 2 x 2 cores of 384 px, 1 x 2, 4 x 1.
    """
    folder = tmp_path_factory.mktemp("data") / "survey"
    cracks = (crack(40, 60, 560, 700, 4.0), crack(300, 380, 60, 720, 2.5))
    write_scene(folder / "lane1" / "a.tif", clean_scene(600, 760, seed=1, cracks=cracks))
    write_scene(folder / "lane1" / "b.tif", clean_scene(300, 420, seed=2), x=500_001.0)
    write_scene(
        folder / "lane2" / "strip.tif", clean_scene(1500, 380, seed=3, cracks=(STRIP_CRACK,)), x=500_003.0
    )
    write_scene(folder / "no-crs.tif", clean_scene(300, 300, seed=4), crs=None)
    (folder / "empty.tif").write_bytes(b"")
    (folder / "notes.png").write_text("not an image")
    return folder


@pytest.fixture(scope="session")
def finished(survey: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a run in one process makes of the survey. To be read only: whoever changes it takes a copy."""
    out = tmp_path_factory.mktemp("finished") / "out"
    summary = run(Request((survey,), out, Config(), serial=True))
    assert summary.exit_code == 3
    assert summary.images_done == 3
    return out


# ---- what is looked at


SLOW, DASK = "mark.slow", "mark.dask"
"""What stands in each file that marks a test so."""


@cache
def says(file: Path, mark: str) -> bool:
    return mark in file.read_text()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """`-m slow` imports only files that mark a test so: all others take 20 s of a CPU in each process."""
    if config.option.markexpr != "slow" or collection_path.suffix != ".py":
        return None
    return None if says(collection_path, SLOW) else True


# ---- who runs beside whom


LONGEST = ("tests/story/nights/", "tests/story/", "tests/model/train/")
"""Folders whose files begin first where processes share the tests, so that none is left alone at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for name, mark in (("slow", SLOW), ("dask", DASK)):
            if item.get_closest_marker(name) and not says(item.path, mark):
                raise pytest.UsageError(f"{item.path}: a test that is {name} without the words {mark}")
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=lambda item: (not says(item.path, DASK), how_late(item.nodeid)))


def how_late(nodeid: str) -> int:
    """The place among the LONGEST of a test's folder."""
    places = [place for place, folder in enumerate(LONGEST) if nodeid.startswith(folder)]
    return min(places, default=len(LONGEST))


@pytest.hookimpl(optionalhook=True)  # without pytest-xdist nobody asks for it
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object | None:
    """`--dist loadfile`, but all files with tests of Dask go to one process: so nobody waits for a turn."""
    if config.option.dist != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class ByFile(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = super()._split_scope(nodeid)
            return "dask" if says(config.rootpath / file, DASK) else file

    return ByFile(config, log)


@pytest.hookimpl(wrapper=True, tryfirst=True)  # the wait for another test is not within a test's timeout
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Tests that start processes of Dask take turns, also where pytest runs twice at once.

    Two clusters at once would fight for the cores, and their timeouts would be those of a busy machine.
    """
    if item.get_closest_marker("dask") is None:
        return (yield)
    with Path(__file__).open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        return (yield)


# ---- nothing is left behind


@pytest.fixture(scope="session", autouse=True)
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for temporary files that is empty after every test."""
    folder = tmp_path_factory.mktemp("temporary")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(folder))
        patch.setattr(tempfile, "tempdir", None)
        # torch would set it itself once it is asked for, and keep its folder
        patch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path_factory.mktemp("torchinductor")))
        yield folder


def traces(temporary: Path) -> dict[str, Any]:
    """What a test could leave behind."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    torch = sys.modules.get("torch")
    threads = getattr(torch, "get_num_threads", lambda: None)()  # of a torch that is being imported: none
    return {
        "environment": environment,
        "working folder": str(Path.cwd()),
        "temporary files": sorted(path.name for path in temporary.iterdir() if not is_empty_scratch(path)),
        "torch's threads": threads,
    }


def is_empty_scratch(path: Path) -> bool:
    """Dask's folder for all clusters of a machine: its locks stay, and nothing else."""
    return path.name == "dask-scratch-space" and {each.suffix for each in path.iterdir()} <= {".lock"}


@pytest.fixture(autouse=True)
def nothing_is_left_behind(request: pytest.FixtureRequest, temporary: Path) -> Iterator[None]:
    """Fails a test that leaves environment, working folder, temporary files or torch's threads changed.

    Slow tests kill processes, and a killed process cannot remove its temporary files. So these are not judged
    there.
    """
    before = traces(temporary)
    yield
    after = traces(temporary)
    if before["torch's threads"] is None:  # torch came with this test
        before["torch's threads"] = after["torch's threads"]
    if request.node.get_closest_marker("slow"):
        before["temporary files"] = after["temporary files"]
    changed = [name for name in before if before[name] != after[name]]
    if changed:
        put_back(before)
    was, now = before["environment"], after["environment"]
    variables = sorted(name for name in was | now if was.get(name) != now.get(name))
    left = {name: (before[name], after[name]) for name in changed if name != "environment"}
    assert not changed, f"left behind: variables {variables}, {left}"  # a variable's value may be a secret


def put_back(before: dict[str, Any]) -> None:
    """So that one test's fault is not found again in all that follow; temporary files stay to be seen."""
    os.environ.update(before["environment"])
    for name in set(os.environ) - set(before["environment"]) - {"PYTEST_CURRENT_TEST"}:
        del os.environ[name]
    os.chdir(before["working folder"])
    if before["torch's threads"] is not None:
        sys.modules["torch"].set_num_threads(before["torch's threads"])

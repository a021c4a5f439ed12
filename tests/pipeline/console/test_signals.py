"""Ctrl-C as a terminal sends it, to real runs with real workers, and terminals that are closed."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from helpers import is_group_gone, tree_hash

from crackpipe.pipeline.config import Config
from crackpipe.pipeline.console.signals import SENTENCE, outliving_the_terminal
from crackpipe.pipeline.operate.status import status
from crackpipe.pipeline.request import Request
from crackpipe.pipeline.run import run

SMALL_UNITS = {"unit_tiles": 1, "block_cores": 1}
# a test run that was started in the background would hand down an ignored SIGINT
START = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); import crackpipe.__main__"


@pytest.fixture(scope="module")
def expected(survey: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What an undisturbed run makes of the survey in blocks of one core."""
    out = tmp_path_factory.mktemp("undisturbed") / "out"
    run(Request((survey,), out, Config(**SMALL_UNITS), serial=True))  # type: ignore[arg-type]
    return tree_hash(out)


class Terminal:
    """A run with two workers, the leader of a session and of a process group like one in a terminal."""

    def __init__(self, survey: Path, out: Path) -> None:
        self.out, self.screen, self.began_s = out, out.with_name("screen"), time.monotonic()
        config = out.with_name("crackpipe.toml")
        config.write_text("".join(f"{key} = {value}\n" for key, value in SMALL_UNITS.items()))
        arguments = ["run", survey, "--out", out, "--workers", "2", "--config", config]
        with self.screen.open("w") as screen:
            self.process = subprocess.Popen(
                [sys.executable, "-c", START, *map(str, arguments)],
                stdout=screen, stderr=screen, start_new_session=True,
                # what ends at once leaves its temporary files
                env=os.environ | {"TMPDIR": str(out.parent)},
            )  # fmt: skip

    def until(self, true: Callable[[], object]) -> None:
        deadline = time.monotonic() + 280
        while not true():
            assert self.process.poll() is None, self.screen.read_text()
            assert time.monotonic() < deadline, self.screen.read_text()
            time.sleep(0.01)

    def press_ctrl_c(self, *, to_all: bool = True) -> None:
        """SIGINT to the whole group as a terminal sends it, or to the command alone."""
        self.started_s = time.monotonic() - self.began_s
        if to_all:
            os.killpg(self.process.pid, signal.SIGINT)
        else:
            self.process.send_signal(signal.SIGINT)

    def workers(self) -> list[psutil.Process]:
        """Processes that Dask spawned."""
        below = psutil.Process(self.process.pid).children(recursive=True)
        return [process for process in below if "spawn_main" in " ".join(process.cmdline())]

    def has_blocks(self) -> bool:
        return any((self.out / ".crackpipe" / "staging").glob("*/blocks/*-*"))

    def said(self) -> list[str]:
        """The lines on the screen from the one about the interruption on."""
        lines = self.screen.read_text().splitlines()
        begin = next((at for at, line in enumerate(lines) if line.startswith(SENTENCE)), len(lines))
        return lines[begin:]

    def end(self, within_s: float) -> None:
        """Waits until the command and every process of its group is gone.

        The start takes less than ten seconds. On a machine so busy that it took longer, so may the end.
        """
        within_s *= max(1.0, self.started_s / 10)
        assert self.process.wait(within_s) == 130, self.screen.read_text()
        assert is_group_gone(self.process.pid, within_s)


def goes_on(survey: Path, out: Path, expected: dict[str, str]) -> None:
    """The same command again keeps what was finished and gives the bytes of an undisturbed run."""
    state = status(out)
    assert state["running"] is None
    summary = run(Request((survey,), out, Config(**SMALL_UNITS), serial=True))  # type: ignore[arg-type]
    tiles = sum("probability/c/" in name for name in expected)  # a block of one core is a tile
    assert summary.figures.tiles <= tiles - state["blocks_on_disk"]
    assert tree_hash(out) == expected


TOLD = f"{SENTENCE} The workers are being ended; another Ctrl-C ends everything at once."


@pytest.mark.dask
@pytest.mark.parametrize(
    "to_all", [True, pytest.param(False, marks=pytest.mark.slow)], ids=["terminal", "kill"]
)
def test_ctrl_c_is_one_line_and_130(
    survey: Path, expected: dict[str, str], tmp_path: Path, to_all: bool
) -> None:
    terminal = Terminal(survey, tmp_path / "out")
    terminal.until(terminal.has_blocks)
    assert len(terminal.workers()) == 2
    terminal.press_ctrl_c(to_all=to_all)
    terminal.end(within_s=15)
    assert terminal.said() == [TOLD]
    assert "Traceback" not in terminal.screen.read_text()
    goes_on(survey, terminal.out, expected)


@pytest.mark.dask
@pytest.mark.slow
@pytest.mark.parametrize("wait_s", [0.0, 0.5, 1.0, 2.0, 4.0])
def test_ctrl_c_while_workers_start(survey: Path, tmp_path: Path, wait_s: float) -> None:
    terminal = Terminal(survey, tmp_path / "out")
    terminal.until(terminal.workers)
    time.sleep(wait_s)
    terminal.press_ctrl_c()
    terminal.end(within_s=20)
    assert [line[: len(SENTENCE)] for line in terminal.said()] == [SENTENCE]
    assert "Traceback" not in terminal.screen.read_text()


@pytest.mark.dask
@pytest.mark.slow
def test_a_second_ctrl_c_ends_everything_at_once(
    survey: Path, expected: dict[str, str], tmp_path: Path
) -> None:
    terminal = Terminal(survey, tmp_path / "out")
    terminal.until(terminal.has_blocks)
    workers = terminal.workers()
    assert len(workers) == 2
    terminal.press_ctrl_c()
    terminal.until(terminal.said)
    terminal.press_ctrl_c()
    terminal.end(within_s=2)
    assert not [each for each in workers if each.is_running()]
    assert terminal.said() == [TOLD]
    assert "Traceback" not in terminal.screen.read_text()
    goes_on(survey, terminal.out, expected)


AS_A_LIBRARY = """
import signal, sys
from crackpipe.commands.run import run

before = signal.getsignal(signal.SIGHUP)
try:
    run.main(sys.argv[1:], standalone_mode=False)
finally:
    print("as before:", signal.getsignal(signal.SIGHUP) == before)
"""


@pytest.mark.slow
def test_a_run_that_returns_leaves_sighup_as_it_was(survey: Path, tmp_path: Path) -> None:
    arguments = [survey / "lane1" / "b.tif", "--out", tmp_path / "out", "--serial"]
    command = [sys.executable, "-c", AS_A_LIBRARY, *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout.endswith("as before: True\n")


@pytest.fixture
def sighup_ends() -> Iterator[None]:
    """SIGHUP as a terminal gives it; `nohup make test` gives one that is ignored."""
    given = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, given)


@pytest.mark.usefixtures("sighup_ends")
def test_sighup_does_afterwards_what_it_did_before() -> None:
    with outliving_the_terminal():
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_DFL


@pytest.mark.usefixtures("sighup_ends")
def test_signals_are_left_alone_outside_the_main_thread() -> None:
    seen = []

    def work() -> None:
        with outliving_the_terminal():
            seen.append(signal.getsignal(signal.SIGHUP))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.SIG_DFL]


SWALLOWED = """
import signal, time
from crackpipe.pipeline.console import signals

class Trap:
    def __del__(self):  # what is raised in here, Python only prints
        signal.raise_signal(signal.SIGINT)

signal.signal(signal.SIGINT, signal.default_int_handler)
signals.listen()
try:
    Trap()
    time.sleep(60)
except KeyboardInterrupt:
    signals.tell()
"""


def test_a_ctrl_c_that_python_cannot_raise_is_not_lost() -> None:
    command = [sys.executable, "-c", SWALLOWED]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=50)
    assert (result.returncode, result.stderr) == (0, f"{SENTENCE}\n")


HELD = """
import os, signal, sys, time
from crackpipe.pipeline.console import signals

signal.signal(signal.SIGINT, signal.default_int_handler)
if sys.argv[1] == "command":
    signals.listen()
try:
    with signals.held_back() as let_go:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.1)
        print("held", flush=True)
        if sys.argv[2] == "twice":
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.1)
            print("still here", flush=True)
        let_go()
        print("never", flush=True)
except KeyboardInterrupt:
    print("raised")
"""


@pytest.mark.parametrize(
    ("where", "often", "code", "said", "told"),
    [
        ("command", "once", 0, "held\nraised\n", ""),
        ("command", "twice", 130, "held\n", f"{SENTENCE}\n"),
        ("library", "twice", 0, "held\nstill here\nraised\n", ""),
    ],
)
def test_ctrl_c_is_held_back(where: str, often: str, code: int, said: str, told: str) -> None:
    command = [sys.executable, "-c", HELD, where, often]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=50)
    assert (result.returncode, result.stdout, result.stderr) == (code, said, told)

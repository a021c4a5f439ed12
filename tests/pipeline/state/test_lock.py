"""One run at a time, judged by the kernel here and by a heartbeat elsewhere; never by a clock."""

import fcntl
import itertools
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from crackpipe.pipeline.errors import OutputLockedError
from crackpipe.pipeline.every import repeated
from crackpipe.pipeline.state import lock, owner, writers
from crackpipe.pipeline.state.output import Output
from crackpipe.pipeline.state.owner import Verdict, owner_of

HOLD = """
import sys, time
from pathlib import Path
from crackpipe.pipeline.state.lock import locked
from crackpipe.pipeline.state.output import Output
from crackpipe.pipeline.state.writers import writing
with {"locked": locked, "writing": writing}[sys.argv[1]](Output(Path(sys.argv[2])), sys.argv[3]):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def output(tmp_path: Path) -> Output:
    made = Output(tmp_path / "out")
    made.create()
    return made


@contextmanager
def held_elsewhere(output: Output, how: str, run: str) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-c", HOLD, how, str(output.root), run]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.wait()


def leave_owner(output: Output, **changed: object) -> Path:
    """An owner file as a run left it that was killed, or that works on another machine."""
    file = output.hidden / "owner.json"
    with lock.locked(output, "earlier"):
        entry = json.loads(file.read_text())
    file.write_text(json.dumps(entry | changed))
    return file


def beating(file: Path) -> AbstractContextManager[None]:
    """Another machine's heartbeat, whose clock is years back."""
    seconds = itertools.count(1)

    def beat() -> bool:
        second = next(seconds)
        os.utime(file, (second, second))
        return True

    return repeated(beat, 0.1, "another machine")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crackpipe.pipeline.state.owner._LOOK_S", 1.0)


def test_second_process_is_refused_and_a_killed_one_frees_the_lock(output: Output) -> None:
    with held_elsewhere(output, "locked", "first") as holder:
        with pytest.raises(OutputLockedError, match=f"process {holder.pid}"), lock.locked(output, "second"):
            pass
        with pytest.raises(OutputLockedError), lock.reading(output):
            pass
        with pytest.raises(OutputLockedError, match=f"kill {holder.pid}"):
            lock.unlock(output)
        assert lock.holder_of(output) is not None
        holder.kill()
        holder.wait()
        assert lock.holder_of(output) is None
    assert (output.hidden / "owner.json").exists()
    with lock.locked(output, "second"):
        pass
    assert lock.holder_of(output) is None
    assert not (output.hidden / "owner.json").exists()


@pytest.mark.usefixtures("quick")
def test_an_owner_elsewhere_is_judged_by_its_heartbeat_not_by_a_clock(output: Output) -> None:
    file = leave_owner(output, host="elsewhere", boot_id="another")
    with beating(file):
        with pytest.raises(OutputLockedError, match="elsewhere"), lock.locked(output, "mine"):
            pass
        with pytest.raises(OutputLockedError, match="elsewhere"):
            lock.unlock(output)
    assert "is gone" in lock.unlock(output)
    assert not file.exists()


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    "changed",
    [{}, {"boot_id": "before the reboot"}, {"host": "elsewhere", "boot_id": "another"}],
    ids=["killed here", "rebooted", "still elsewhere"],
)
def test_stale_owners_are_recognised(output: Output, changed: dict[str, str]) -> None:
    file = leave_owner(output, **changed)
    with lock.locked(output, "mine"):
        found = owner_of(output)
        assert found is not None and found.run == "mine" and found.pid == os.getpid()
    assert not file.exists()


def test_the_heartbeat_moves(output: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crackpipe.pipeline.state.owner.HEARTBEAT_S", 0.05)
    with lock.locked(output, "mine"):
        first = (output.hidden / "owner.json").stat().st_mtime_ns
        deadline = time.monotonic() + 10
        while (output.hidden / "owner.json").stat().st_mtime_ns == first:
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_a_task_of_a_run_that_is_over_refuses_to_write(output: Output) -> None:
    with lock.locked(output, "now"):
        with writers.writing(output, "now"):
            pass
        with pytest.raises(OutputLockedError, match="over"), writers.writing(output, "earlier"):
            pass
    with pytest.raises(OutputLockedError), writers.writing(output, "now"):
        pass


def test_a_run_waits_for_the_workers_of_a_killed_one(output: Output) -> None:
    leave_owner(output, run="killed")
    with held_elsewhere(output, "writing", "killed") as worker:
        threading.Timer(1.0, worker.kill).start()
        started = time.monotonic()
        with lock.locked(output, "mine"):
            assert 0.8 < time.monotonic() - started < 30


def free_between_two_tries(
    output: Output, monkeypatch: pytest.MonkeyPatch, then: Callable[[], object] = lambda: None
) -> None:
    """Let the next try to lock fail, and `unlock` free the output of a killed run before the one after it."""
    leave_owner(output)
    held = (output.hidden / "lock").open()
    fcntl.flock(held, fcntl.LOCK_EX)

    def between_tries(_seconds: float) -> None:
        if not held.closed:
            held.close()
            assert "is gone" in lock.unlock(output)
            then()

    monkeypatch.setattr("crackpipe.pipeline.state.flock.time", SimpleNamespace(sleep=between_tries))


def test_a_run_that_waited_while_the_output_was_freed_holds_it_alone(
    output: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waited for the file that was removed; a second run opens the new one."""
    free_between_two_tries(output, monkeypatch)
    with (
        lock.locked(output, "first"),
        pytest.raises(OutputLockedError, match="in use"),
        lock.locked(output, "second"),
    ):
        pass


def test_freeing_twice_at_once_leaves_the_run_that_began_in_between(
    output: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ExitStack() as runs:
        free_between_two_tries(output, monkeypatch, lambda: runs.enter_context(lock.locked(output, "first")))
        with pytest.raises(OutputLockedError, match="in use"):
            lock.unlock(output)
        owner = owner_of(output)
        assert owner is not None and owner.run == "first"


def test_unlocking_what_nobody_holds_changes_nothing(output: Output) -> None:
    assert "not locked" in lock.unlock(output)
    with lock.locked(output, "mine"):
        pass
    assert "not locked" in lock.unlock(output)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("changed", "watched"),
    [({}, 0), ({"boot_id": "before the reboot"}, 0), ({"host": "elsewhere", "boot_id": "another"}, 1)],
    ids=["killed here", "rebooted", "still elsewhere"],
)
def test_freeing_watches_a_heartbeat_at_most_once(
    output: Output, monkeypatch: pytest.MonkeyPatch, changed: dict[str, str], watched: int
) -> None:
    looks = []
    monkeypatch.setattr(owner, "beats", lambda of, beats=owner.beats: looks.append(of) or beats(of))
    leave_owner(output, **changed)
    assert "is gone" in lock.unlock(output)
    assert len(looks) == watched


def test_without_locks_a_process_of_this_machine_is_known_by_its_start(output: Output) -> None:
    def verdict(who: owner.Owner) -> Verdict:
        return owner.verdict_on(output, who, granted=True, knows_locks=False)

    this = owner.this_process("mine")
    assert verdict(this) is Verdict.ALIVE
    assert verdict(replace(this, started="1")) is Verdict.GONE
    assert owner.verdict_on(output, this, granted=True, knows_locks=True) is Verdict.GONE


def test_a_lock_that_another_process_holds_is_in_use_even_without_a_name(output: Output) -> None:
    assert owner.verdict_on(output, None, granted=False, knows_locks=True) is Verdict.ALIVE
    assert owner.verdict_on(output, None, granted=True, knows_locks=True) is Verdict.FREE

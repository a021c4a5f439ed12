"""Where a process of a training sits, and how it ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch.distributed as dist

from crackpipe.model.train import processes
from crackpipe.model.train.processes import Seat, seat_of_torchrun

TORCHRUN = {
    "RANK": "5",
    "WORLD_SIZE": "8",
    "LOCAL_RANK": "1",
    "MASTER_ADDR": "10.0.0.1",
    "MASTER_PORT": "29500",
}


def test_torchrun_names_the_seat() -> None:
    assert seat_of_torchrun(TORCHRUN) == Seat(5, 8, 1, "env://")
    assert seat_of_torchrun({}) is None
    assert seat_of_torchrun({"RANK": "0"}) is None


def test_half_a_seat_is_an_error() -> None:
    with pytest.raises(ValueError, match="MASTER_PORT is not: start with torchrun"):
        seat_of_torchrun({name: value for name, value in TORCHRUN.items() if name != "MASTER_PORT"})


def complain(seat: Seat, mask: str) -> None:
    """Work that finds something wrong with its data."""
    if seat.rank == 1:
        raise ValueError(f"{mask} is 31x20 px: make them one size")
    if processes.parallel():
        dist.barrier()  # a training waits for the others too; who ends before they have met him fails them


def test_what_is_wrong_in_a_spawned_process_is_said_here() -> None:
    with processes.giving_threads_back():
        assert processes.run(complain, "a.png", 1, "cpu") == Seat()
    with pytest.raises(ValueError, match=r"^a\.png is 31x20 px: make them one size$"):
        processes.run(complain, "a.png", 2, "cpu")


def be_killed(seat: Seat, reason: str) -> None:
    """Work whose second process the system kills, as it does where memory runs short."""
    if seat.rank == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    if processes.parallel():
        dist.barrier()


def test_a_process_that_the_system_killed_is_short_memory() -> None:
    with pytest.raises(MemoryError, match=r"process 2 of 2 .* killed .* holds all pictures, decoded$"):
        processes.run(be_killed, "memory", 2, "cpu")


COMPUTE = """
import os, sys
from pathlib import Path
import torch
from crackpipe.model.train import processes

def compute(seat, folder):  # one operation of minutes, in which Python cannot handle a signal
    (folder / f"{seat.rank}.part").write_text(str(os.getpid()))
    (folder / f"{seat.rank}.part").rename(folder / f"{seat.rank}.pid")
    torch.linalg.matrix_power(torch.ones(6000, 6000), 2**60)  # sixty products

if __name__ == "__main__":
    processes.run(compute, Path(sys.argv[1]), 2, "cpu")
"""


def works(pid: int) -> bool:
    """Whether the process is alive. One that ended stays listed until init has asked for its exit status."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return "State:\tZ" not in status


@pytest.mark.slow
def test_the_others_end_with_the_process_that_started_them(tmp_path: Path) -> None:
    script = tmp_path / "compute.py"
    script.write_text(COMPUTE)
    # a process that is ended like this leaves its temporary files, which go with the test's folder then
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    parent = subprocess.Popen([sys.executable, str(script), str(tmp_path)], env=environment)
    deadline = time.monotonic() + 280
    while len(found := list(tmp_path.glob("*.pid"))) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    parent.send_signal(signal.SIGTERM)
    parent.wait()
    # without an end of their own they would go on for more than 100 seconds
    deadline = time.monotonic() + 30
    while left := [file for file in found if works(int(file.read_text()))]:
        assert time.monotonic() < deadline, left
        time.sleep(0.1)

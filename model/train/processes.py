"""The processes of one training: spawned here, or started by torchrun on one or several machines."""

import os
import signal
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing import resource_tracker
from pathlib import Path
from typing import TypeVar

import torch
import torch.distributed as dist
import torch.multiprocessing
from torch.multiprocessing.spawn import ProcessExitedException, ProcessRaisedException

from crackpipe.model.weights.metadata import WeightsError

Job = TypeVar("Job")

_TORCHRUN = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")

_LONGEST_WAIT = timedelta(hours=2)
"""The others wait while the first process validates. The default is 30 minutes of gloo, 10 of NCCL."""


@dataclass(frozen=True)
class Seat:
    """One process among those of a training."""

    rank: int = 0
    """0 .. processes - 1; rank 0 validates, logs and writes."""
    processes: int = 1
    local_rank: int = 0
    """Number on its machine, and of its GPU."""
    meeting_point: str | None = None
    """Where the processes find each other, a URL of `torch.distributed`; None for a process alone."""


def seat_of_torchrun(environ: Mapping[str, str] = os.environ) -> Seat | None:
    """The seat that torchrun gave this process; None where it was not started by torchrun.

    Raises ValueError where only some of torchrun's variables are set.
    """
    if "RANK" not in environ or "WORLD_SIZE" not in environ:
        return None
    missing = [name for name in _TORCHRUN if name not in environ]
    if missing:
        raise ValueError(
            f"RANK and WORLD_SIZE are set, but {', '.join(missing)} is not: start with "
            "torchrun, or unset them"
        )
    rank, processes, local_rank = (int(environ[name]) for name in _TORCHRUN[:3])
    return Seat(rank, processes, local_rank, "env://")


def run(work: Callable[[Seat, Job], None], job: Job, processes: int, device: str) -> Seat:
    """Do `work(seat, job)` in this process, in those of torchrun, or in `processes` spawned ones.

    Returns the seat of this process; only rank 0 goes on afterwards. Raises ValueError with the message of a
    ValueError, FileNotFoundError or WeightsError of a spawned process, and MemoryError where the system
    killed one; how to go on is up to the command that trained.
    """
    seat = seat_of_torchrun()
    if seat is not None:
        _sit_down(seat, work, job, device)
        return seat
    if processes == 1:
        _sit_down(Seat(), work, job, device)
        return Seat()
    with tempfile.TemporaryDirectory(prefix="crackpipe-train-") as folder:
        spawn = torch.multiprocessing.spawn  # type: ignore[attr-defined]
        with _deaf_to_interrupts():
            given = (processes, Path(folder), work, job, device)
            spawned = spawn(_spawned, given, nprocs=processes, join=False)  # type: ignore[no-untyped-call]
        try:
            while not spawned.join():
                pass
        except ProcessRaisedException as error:
            said = sorted(Path(folder).glob("error-*"))
            if not said:
                raise
            raise ValueError(said[0].read_text(encoding="utf-8")) from error
        except ProcessExitedException as error:
            if error.exit_code != -signal.SIGKILL:
                raise
            raise MemoryError(_killed(error.error_index + 1, processes)) from error
        finally:
            for process in spawned.processes:
                process.kill()  # where this process is to end; those that are through do not mind
            for file in spawned.error_files:  # torch leaves that of a failed process among temporary files
                Path(file).unlink(missing_ok=True)
    return Seat()


def _killed(number: int, processes: int) -> str:
    return (
        f"process {number} of {processes} of the training was killed (SIGKILL), mostly because the machine's "
        f"memory is too short: each process holds all pictures, decoded"
    )


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Processes started within do not get SIGINT until they ask for it.

    A terminal sends Ctrl-C to them too. While they import, Python would print where that was.
    """
    resource_tracker.ensure_running()  # which would make this thread hear SIGINT again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _spawned(  # noqa: PLR0917  torch passes by position
    rank: int, processes: int, folder: Path, work: Callable[[Seat, Job], None], job: Job, device: str
) -> None:
    # A spawned process gets SIGINT when its parent dies. Python would act on it only after the running
    # operation, which may wait for the other processes for ever. To end at once loses nothing, because a
    # checkpoint is replaced as a whole.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    meeting_point = f"file://{folder}/meeting"  # a file and not a port: ports may be taken
    try:
        _sit_down(Seat(rank, processes, rank, meeting_point), work, job, device)
    except (ValueError, FileNotFoundError, WeightsError) as error:
        # the user can mend data and values, so these words go to the parent
        (folder / f"error-{rank}").write_text(str(error), encoding="utf-8")
        raise


@contextmanager
def giving_threads_back() -> Iterator[None]:
    """Afterwards torch has the threads again that the caller had; `run` takes one for what it does itself."""
    threads = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _sit_down(seat: Seat, work: Callable[[Seat, Job], None], job: Job, device: str) -> None:
    if device == "cpu":
        torch.set_num_threads(1)
    else:
        torch.cuda.set_device(seat.local_rank)  # NCCL would put its buffers on the first GPU
    if seat.meeting_point is None:
        work(seat, job)
        return
    dist.init_process_group(
        "gloo" if device == "cpu" else "nccl",
        seat.meeting_point,
        rank=seat.rank,
        world_size=seat.processes,
        timeout=_LONGEST_WAIT,
    )
    try:
        work(seat, job)
    finally:
        dist.destroy_process_group()


def parallel() -> bool:
    """Whether this process is one of several."""
    return dist.is_available() and dist.is_initialized()


def agree(value: float, device: torch.device) -> float:
    """The first process's value for all: clocks differ, and no process may stop before the others."""
    if not parallel():
        return value
    shared = torch.tensor([value], dtype=torch.float64, device=device)
    dist.broadcast(shared, src=0)
    return float(shared[0])

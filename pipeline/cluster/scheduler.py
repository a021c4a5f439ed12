"""A Dask scheduler that is already running: connect to it, check its workers, notice its loss."""

import logging
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from crackpipe.pipeline.cluster import settings
from crackpipe.pipeline.errors import SchedulerLostError, UsageError

_CONNECT_TIMEOUT_S = 20


@contextmanager
def existing(address: str, shared: Sequence[Path]) -> Iterator[Any]:
    """A Dask client of a scheduler started elsewhere.

    `shared` are the folders every worker must see; the first is writable and gets a probe file.
    Raises SchedulerLostError if nobody answers, UsageError if a worker sees other files.
    """
    from distributed import Client

    with settings.dask_settings(threads=1), _quiet("distributed", "distributed.client"):
        try:
            client = Client(address, timeout=_CONNECT_TIMEOUT_S, set_as_default=True)
        except (OSError, TimeoutError, ValueError) as error:
            raise SchedulerLostError(
                f"no Dask scheduler answers at {address} within {_CONNECT_TIMEOUT_S} s ({error}). "
                f"Start one with `dask scheduler`, or check host, port and firewall."
            ) from error
        with client:
            _check_workers(client, address, shared)
            yield client


@contextmanager
def _quiet(*loggers: str) -> Iterator[None]:
    """Silence loggers. The run itself reports a lost scheduler; the libraries would add their tracebacks."""
    levels = {name: logging.getLogger(name).level for name in loggers}
    for name in loggers:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


def _check_workers(client: Any, address: str, shared: Sequence[Path]) -> None:
    try:
        client.wait_for_workers(1, timeout=_CONNECT_TIMEOUT_S)
    except TimeoutError as error:
        raise SchedulerLostError(
            f"the scheduler at {address} has no workers after {_CONNECT_TIMEOUT_S} s. "
            f"Start some with `dask worker {address}`."
        ) from error
    probe = shared[0] / f"probe-{uuid.uuid4().hex}"
    probe.touch()
    try:
        seen = client.run(_sees, [str(path) for path in (probe, *shared)])
    finally:
        probe.unlink()
    for worker, missing in sorted(seen.items()):
        if missing:
            raise UsageError(
                f"worker {worker} does not see {missing[0]}. With --scheduler, survey and output must be on "
                f"storage that every worker mounts at the same path."
            )


def _sees(paths: Sequence[str]) -> list[str]:
    return [path for path in paths if not Path(path).exists()]


@contextmanager
def losing_it() -> Iterator[None]:
    """Turn what Dask raises when its scheduler or all workers are gone into SchedulerLostError."""
    from concurrent.futures import CancelledError

    from distributed.client import FutureCancelledError
    from distributed.comm.core import CommClosedError
    from distributed.scheduler import NoValidWorkerError, NoWorkerError

    try:
        yield
    except NoWorkerError as error:
        raise SchedulerLostError(
            f"the Dask scheduler has had no workers for {settings.NO_WORKERS_S} s. "
            f"Start some with `dask worker`, then run the same command again: finished images are kept."
        ) from error
    except NoValidWorkerError as error:
        kinds = " and ".join(error.resource_restrictions)
        raise SchedulerLostError(
            f"for {settings.NO_WORKERS_S} s there was no process for tasks that need `{kinds}`. "
            f"Mostly a GPU is gone or memory is short: `crackpipe doctor` shows what is seen. Then run "
            f"the same command again: finished images are kept."
        ) from error
    except (CommClosedError, FutureCancelledError, CancelledError) as error:
        raise SchedulerLostError(
            "the Dask scheduler went away. Start it again, then run the same command again: "
            "finished images are kept."
        ) from error

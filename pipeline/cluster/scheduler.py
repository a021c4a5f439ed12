"""A Dask scheduler that is already running: connect to it, check its workers, notice its loss."""

import logging
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from crackpipe.model.predict import resolve
from crackpipe.pipeline.cluster import local, settings, workers
from crackpipe.pipeline.console.log import log
from crackpipe.pipeline.errors import ConfigurationError, SchedulerLostError

_CONNECT_TIMEOUT_S = 20

_TLS = "DASK_DISTRIBUTED__COMM__TLS__"
_HOW_TO_TLS = (
    f"Set {_TLS}CA_FILE, {_TLS}CLIENT__CERT and {_TLS}CLIENT__KEY to the PEM files of the authority that "
    f"signed the scheduler's certificate, of a certificate of this machine, and of its key."
)


@contextmanager
def existing(address: str, wanted: workers.Wanted) -> Iterator[Any]:
    """A Dask client of a scheduler started elsewhere, whose workers have all that is wanted of them.

    Raises SchedulerLostError if nobody answers, ConfigurationError without a certificate that TLS needs,
    UsageError or ConfigurationError if a worker cannot work for this run.
    """
    with _connected(address) as client:
        _check_workers(client, wanted)
        _check_threads(address, client.nthreads())
        yield client


def device_and_precision(address: str, device: str, precision: str) -> tuple[str, str]:
    """What `resolve.device_and_precision` says on the workers, which must agree.

    Nobody is asked where both words are resolved already; `existing` then checks them. Raises as it does.
    """
    if "auto" not in (device, precision):
        return device, precision
    with _connected(address) as client:
        return workers.agreed(client.run(resolve.device_and_precision, device, precision, on_error="return"))


@contextmanager
def _connected(address: str) -> Iterator[Any]:
    """A Dask client of a scheduler that has workers."""
    from distributed import Client

    with settings.dask_settings(threads=1), _quiet("distributed", "distributed.client"):
        _check_certificate(address)
        try:
            client = Client(address, timeout=_CONNECT_TIMEOUT_S, set_as_default=True)
        except (OSError, TimeoutError, ValueError) as error:
            check = ", firewall and certificates" if address.startswith("tls://") else " and firewall"
            raise SchedulerLostError(
                f"no Dask scheduler answers at {address} within {_CONNECT_TIMEOUT_S} s ({error}). "
                f"Start one with `dask scheduler`, or check host, port{check}."
            ) from error
        with client:
            try:
                client.wait_for_workers(1, timeout=_CONNECT_TIMEOUT_S)
            except TimeoutError as error:
                raise SchedulerLostError(
                    f"the scheduler at {address} has no workers after {_CONNECT_TIMEOUT_S} s. "
                    f"Start some with `dask worker {address}`."
                ) from error
            yield client


def _check_certificate(address: str) -> None:
    """Raise ConfigurationError if the address asks for TLS and Dask's configuration has no usable one."""
    from distributed import Security

    if not address.startswith("tls://"):
        return
    try:
        context = Security().get_connection_args("client").get("ssl_context")
    except (OSError, ValueError) as error:  # no such file, or none of this kind
        raise ConfigurationError(
            f"the certificate or key for {address} cannot be read ({error}). {_HOW_TO_TLS}"
        ) from error
    if context is None:
        raise ConfigurationError(f"{address} asks for a certificate, and there is none. {_HOW_TO_TLS}")


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


def _check_workers(client: Any, wanted: workers.Wanted) -> None:
    """Raise the error of the first worker that cannot work for the run."""
    probe = wanted.shared[0] / f"probe-{uuid.uuid4().hex}"
    probe.touch()
    try:
        found = client.run(workers.unfit, replace(wanted, shared=(probe, *wanted.shared)))
    finally:
        probe.unlink()
    for worker, error in sorted(found.items()):
        if error is not None:
            raise type(error)(f"worker {worker} {error}")


def _check_threads(address: str, threads: Mapping[str, int]) -> None:
    """Warn of workers, as they are now, that would hold more units at once than those of a run of its own."""
    most = local.UNITS_IN_FLIGHT
    many = {worker: count for worker, count in sorted(threads.items()) if count > most}
    if many:
        worker, count = next(iter(many.items()))
        log.warning(
            f"{len(many)} of {len(threads)} workers have more than {most} task threads ({worker} has {count})"
            f" and hold as many units in memory at once. Start them with "
            f"`dask worker {address} --nthreads {most}`."
        )


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

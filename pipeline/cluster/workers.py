"""Workers that others started: what a run asks of each before it begins.

The driver may be another kind of machine: without a GPU, with other weights, with other mounts. So nothing of
a worker is concluded from the driver. The functions here run in the workers themselves, and what they answer
is compared in the driver.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from crackpipe import __version__
from crackpipe.pipeline.errors import ConfigurationError, CrackpipeError, UsageError


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a run needs of each worker."""

    shared: tuple[Path, ...]
    """Folders and files that it must see; the first one is a folder that the driver may write."""
    weights: str
    """Name or absolute path."""
    weights_sha256: str
    device: str
    """Resolved, as the precision."""
    precision: str
    version: str = __version__


def unfit(wanted: Wanted) -> CrackpipeError | None:
    """Why this process cannot work for a run; None where it can. The sentence follows the worker's name."""
    from crackpipe.model.predict import resolve
    from crackpipe.model.predict.device import DeviceError
    from crackpipe.model.weights import folder
    from crackpipe.model.weights.metadata import WeightsError

    missing = [str(path) for path in wanted.shared if not path.exists()]
    if missing:
        return UsageError(
            f"does not see {missing[0]}. With --scheduler, survey and output must be on storage that every "
            f"worker mounts at the same path."
        )
    if __version__ != wanted.version:
        return ConfigurationError(
            f"has crackpipe {__version__}, but the run was planned with {wanted.version}. "
            f"Install the same crackpipe and weights everywhere."
        )
    try:
        _, sha256, _ = folder.read(wanted.weights)
    except WeightsError as error:
        return ConfigurationError(without_weights(wanted.weights, error))
    if sha256 != wanted.weights_sha256:
        return ConfigurationError(with_others(wanted.weights, sha256, wanted.weights_sha256))
    try:
        resolve.device_and_precision(wanted.device, wanted.precision)
    except DeviceError as error:
        return UsageError(unable(error))
    return None


def without_weights(weights: str, error: Exception) -> str:
    """What a worker says that cannot read the weights, after its name."""
    return (
        f"cannot read weights {weights}: {error}. Put the file on storage that every worker mounts at the "
        f"same path, or install the same crackpipe everywhere."
    )


def with_others(weights: str, found: str, planned: str) -> str:
    """What a worker says whose weights have another SHA-256, after its name."""
    return (
        f"found weights {weights} with SHA-256 {found}, but the run was planned with {planned}. "
        f"Install the same crackpipe and weights everywhere."
    )


def unable(error: Exception) -> str:
    """What a worker says without the device or precision, after its name. `error` ends with what it has."""
    return (
        f"cannot run the network as asked for: {error}, or start this worker where `crackpipe doctor` sees "
        f"what was asked for"
    )


def agreed(answers: Mapping[str, tuple[str, str] | Exception]) -> tuple[str, str]:
    """The device and precision that all workers resolved alike, from the answer of each address.

    Raises UsageError where a worker cannot do what was asked for, or where they differ: two precisions in one
    run would mix results.
    """
    from crackpipe.model.predict.device import DeviceError

    by_answer: dict[tuple[str, str], str] = {}
    for address, answer in sorted(answers.items()):
        if isinstance(answer, DeviceError):
            raise UsageError(f"worker {address} {unable(answer)}") from answer
        if isinstance(answer, Exception):
            raise answer
        by_answer.setdefault(answer, address)
    if len(by_answer) > 1:
        (one, here), (other, there), *_ = by_answer.items()
        raise UsageError(
            f"worker {here} would run the network on {one[0]} in {one[1]}, but worker {there} on {other[0]} "
            f"in {other[1]}, and one run must not mix them. Say with --device and --precision what all "
            f"workers can do, or stop those of one kind."
        )
    return next(iter(by_answer))

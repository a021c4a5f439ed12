"""Every error has the exit code of the table in the documentation and survives the way between processes."""

import pickle

import pytest

from crackpipe.pipeline import errors
from crackpipe.pipeline.errors import CrackpipeError, ImageRejectedError

EXIT_CODES = {
    "UsageError": 2,
    "ImageRejectedError": 3,
    "NoReadableImageError": 66,
    "ImagesMissingError": 66,
    "SchedulerLostError": 69,
    "ObjectStorageError": 69,
    "CrackpipeError": 70,
    "MemoryShortError": 71,
    "OutputNotWritableError": 73,
    "StorageError": 74,
    "OutputDamagedError": 74,
    "OutputLockedError": 75,
    "OutsideHoursError": 77,
    "ConfigurationError": 78,
}


def _all_errors() -> list[type[CrackpipeError]]:
    return [CrackpipeError, *CrackpipeError.__subclasses__()]


def test_exit_codes() -> None:
    assert {kind.__name__: kind.exit_code for kind in _all_errors()} == EXIT_CODES


@pytest.mark.parametrize("kind", _all_errors(), ids=lambda kind: kind.__name__)
def test_errors_survive_pickling(kind: type[CrackpipeError]) -> None:
    error = kind("a", "b", "c") if kind is ImageRejectedError else kind("a sentence")
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is kind
    assert str(copy) == str(error)


def test_rejection_keeps_its_three_parts() -> None:
    error = pickle.loads(pickle.dumps(ImageRejectedError("no-crs", "it names no CRS", "Give --assume-crs.")))
    assert (error.reason, error.message, error.remedy) == ("no-crs", "it names no CRS", "Give --assume-crs.")
    assert str(error) == "it names no CRS"


def test_every_error_is_documented() -> None:
    assert all(getattr(errors, name).__doc__ for name in EXIT_CODES)

"""What a store's refusal means for an image or a run, and trying again.

Errors of the libraries are never quoted: they hold whole addresses, and with them signatures. What is said is
the kind of error, its HTTP status, and the store's own code.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from crackpipe.pipeline.console.log import log
from crackpipe.pipeline.errors import (
    CrackpipeError,
    ImageRejectedError,
    NoReadableImageError,
    ObjectStorageError,
)

WAITS_S = (0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0, 30.0)
"""Between two tries that brought nothing. Together about two minutes, which outlasts a short outage."""

_SAID_AFTER = 5  # tries, which are six seconds: a person would wonder

_TRANSIENT_CODES = ("RequestTimeout", "SlowDown", "Throttling", "InternalError", "ServiceUnavailable")
_TRANSIENT_STATUS = (408, 425, 429, 500, 502, 503, 504)
_CHANGED_STATUS = (412, 416)
_REFUSED_STATUS = (401, 403)
_CREDENTIALS = "Check the credentials in the environment, or whether a signed address has expired"
_REGION = "Name the region of the bucket (AWS_DEFAULT_REGION) or its store (AWS_ENDPOINT_URL)"
_REMEDIES = {
    # S3 says these with 400 or 301, though they are refusals too
    **dict.fromkeys(("ExpiredToken", "InvalidToken", "TokenRefreshRequired"), _CREDENTIALS),
    **dict.fromkeys(("PermanentRedirect", "AuthorizationHeaderMalformed"), _REGION),
    "RequestTimeTooSkewed": "Set the clock of this machine right",
}
"""Of a refusal, by the store's code."""
_ARCHIVED_CODE = "InvalidObjectState"
"""A refusal of one object, with 403: it lies in an archive."""

_LIBRARIES = ("aiohttp", "botocore", "aiobotocore", "urllib3", "fsspec", "gcsfs", "google", "azure", "http")
_CONNECTION = ("Timeout", "Connect", "Payload", "IncompleteRead", "Disconnected", "HTTPClientError")

_T = TypeVar("_T")


class TransientError(Exception):
    """May go away by itself."""


def changed(name: str, how: str = "is no longer the one that was listed") -> ImageRejectedError:
    """The refusal of an object that changed after it was listed."""
    return ImageRejectedError(
        "changed-while-read",
        f"{name.rpartition('/')[2]} {how}",
        "Run again when nothing writes to the survey any more.",
    )


def refused(error: Exception, name: str, place: str) -> Exception:  # noqa: PLR0911  one answer a line
    """What an error of a library means, for an object or a listing called `name` in a store at `place`."""
    status, code = _answer(error)
    if code in _TRANSIENT_CODES or status in _TRANSIENT_STATUS:
        return TransientError(f"{code or 'HTTP'} {status or ''}".strip())
    if status in _CHANGED_STATUS:
        return changed(name)
    if not name and (status == 404 or isinstance(error, FileNotFoundError)):
        return NoReadableImageError(f"{place} does not exist. Check bucket and prefix.")
    if status == 404 or isinstance(error, FileNotFoundError):
        return ImageRejectedError(
            "file-missing",
            f"{name.rpartition('/')[2]} does not exist",
            "Copy the file, or correct the manifest.",
        )
    if code == _ARCHIVED_CODE:
        said = f"{name.rpartition('/')[2]} lies in an archive of the store ({code})"
        return ImageRejectedError("unreadable-file", said, "Restore it there, then run again.")
    if _is_refusal(error, status, code):
        return ObjectStorageError(
            f"{place}: the store refuses {name or 'a listing'} ({code or status or 'no credentials'}). "
            f"{_REMEDIES.get(code, _CREDENTIALS)}, then run the same command again: finished images are kept "
            "(docs/use/object_storage.md)."
        )
    if status is None and _is_of_connection(error):
        return TransientError(type(error).__name__)
    if status is None and not isinstance(error, OSError) and _library_of(error) is None:
        return error  # a defect, and not what a store said
    return ObjectStorageError(
        f"{place}: {name or 'the listing'} cannot be read: {type(error).__name__}, "
        f"{code or 'no code'}, HTTP {status or 'status unknown'}. Finished images are kept; run the same "
        "command again, and if it says the same, check address and credentials (docs/use/object_storage.md)."
    )


def _is_refusal(error: Exception, status: int | None, code: str) -> bool:
    """Whether a store does not let us in, or a library found nothing to let us in with."""
    is_named = isinstance(error, PermissionError) or "Credential" in type(error).__name__
    return is_named or status in _REFUSED_STATUS or code in _REMEDIES


@contextmanager
def translating(name: str, place: str) -> Iterator[None]:
    """Raise what an error inside means (`refused`), without the error itself, which may hold a secret."""
    try:
        yield
    except CrackpipeError:
        raise
    except Exception as error:  # the libraries share no class of errors; defects go on as they came
        meant = refused(error, name, place)
        if meant is error:
            raise
        raise meant from None


def _is_of_connection(error: BaseException | None) -> bool:
    """Whether an error is one of the connection: it names no answer of the store."""
    while error is not None:
        if isinstance(error, ConnectionError | TimeoutError | asyncio.TimeoutError) or (
            _library_of(error) is not None and any(name in type(error).__name__ for name in _CONNECTION)
        ):
            return True
        error = error.__cause__
    return False


def _library_of(error: BaseException) -> str | None:
    """The library that an error is of; None where it is none of those that speak with stores."""
    name = type(error).__module__.partition(".")[0]
    return name if name in _LIBRARIES else None


def _answer(error: BaseException | None) -> tuple[int | None, str]:
    """HTTP status and the store's code in an error or its causes; None and "" where there was no answer."""
    while error is not None:
        response = getattr(error, "response", None)
        if isinstance(response, dict):
            status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
            return status, str(response.get("Error", {}).get("Code", ""))
        for field in ("status", "status_code", "code"):
            status = getattr(error, field, None)
            if isinstance(status, int):
                return status, ""
        error = error.__cause__
    return None, ""


def patiently(attempt: Callable[[], _T], what: str, pause: Callable[[float], None] = time.sleep) -> _T:
    """Call `attempt` until it raises no TransientError, waiting longer each time.

    Raises ObjectStorageError when that does not help.
    """
    said = ""
    for number, wait_s in enumerate((*WAITS_S, None)):
        try:
            return attempt()
        except TransientError as error:
            said = str(error)
        if number == _SAID_AFTER:
            log.warning(f"{what}: {said}; tried again for another {sum(WAITS_S[number:]):.0f} s at most")
        if wait_s is not None:
            pause(wait_s)
    raise ObjectStorageError(
        f"{what}: {len(WAITS_S) + 1} tries in {sum(WAITS_S):.0f} s failed, the last with {said}. Finished "
        "images are kept; run the same command again when the store answers."
    )

"""What a store's refusal means, and that trying again ends."""

from typing import Any

import pytest

from crackpipe.pipeline.errors import ImageRejectedError, NoReadableImageError, ObjectStorageError
from crackpipe.pipeline.storage.cloud import answers
from crackpipe.pipeline.storage.cloud.answers import TransientError, patiently, refused


class AnswerError(OSError):
    """As botocore's ClientError: an answer of the store."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__("https://h.org/a.tif?X-Amz-Signature=5ecre7")
        self.response = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}


@pytest.mark.parametrize(
    ("error", "meant"),
    [
        (AnswerError(503, "SlowDown"), TransientError),
        (AnswerError(429, ""), TransientError),
        (AnswerError(400, "RequestTimeout"), TransientError),
        (ConnectionResetError(), TransientError),
        (TimeoutError(), TransientError),
        (AnswerError(412, "PreconditionFailed"), ImageRejectedError),
        (AnswerError(404, "NoSuchKey"), ImageRejectedError),
        (AnswerError(403, "AccessDenied"), ObjectStorageError),
        (AnswerError(403, "InvalidObjectState"), ImageRejectedError),
        (AnswerError(400, "ExpiredToken"), ObjectStorageError),
        (AnswerError(301, "PermanentRedirect"), ObjectStorageError),
        (AnswerError(409, "OperationAborted"), ObjectStorageError),
        (TypeError("a defect"), TypeError),
    ],
)
def test_each_refusal_has_a_meaning_and_quotes_no_secret(error: Exception, meant: type[Exception]) -> None:
    found = refused(error, "lane1/a.tif", "s3://roads")
    assert type(found) is meant
    assert "5ecre7" not in str(found)


@pytest.mark.parametrize(
    ("status", "code", "remedy"),
    [
        (401, "", "Check the credentials in the environment"),
        (403, "AccessDenied", "Check the credentials in the environment"),
        (400, "ExpiredToken", "Check the credentials in the environment"),
        (403, "RequestTimeTooSkewed", "Set the clock of this machine right"),
        (301, "PermanentRedirect", "Name the region of the bucket"),
        (409, "OperationAborted", "run the same command again"),
    ],
)
def test_a_refusal_has_the_remedy_of_its_code(status: int, code: str, remedy: str) -> None:
    found = refused(AnswerError(status, code), "lane1/a.tif", "s3://roads")
    assert remedy in str(found) and (code or "401") in str(found)
    assert "finished images are kept" in str(found).lower()


def test_an_object_in_an_archive_is_set_aside_and_stops_nothing() -> None:
    found = refused(AnswerError(403, "InvalidObjectState"), "lane1/a.tif", "s3://roads")
    assert isinstance(found, ImageRejectedError)
    assert (found.reason, str(found)) == (
        "unreadable-file",
        "a.tif lies in an archive of the store (InvalidObjectState)",
    )


def test_a_bucket_that_is_not_there_is_no_image_that_is_not_there() -> None:
    assert type(refused(AnswerError(404, "NoSuchBucket"), "", "s3://roads")) is NoReadableImageError


def test_patience_ends_and_says_why(caplog: pytest.LogCaptureFixture) -> None:
    waited: list[float] = []
    tried: list[int] = []

    def attempt() -> Any:
        tried.append(1)
        raise TransientError("SlowDown 503")

    with pytest.raises(ObjectStorageError, match=r"12 tries in 141 s failed, the last with SlowDown 503"):
        patiently(attempt, "s3://roads", waited.append)
    assert (len(tried), tuple(waited)) == (12, answers.WAITS_S)
    assert "s3://roads: SlowDown 503; tried again for another" in caplog.text

"""A store of S3 on this machine (moto), with a survey in it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

BUCKET, PREFIX = "roads", "2025/survey"
ADDRESS = f"s3://{BUCKET}/{PREFIX}"
SECRET = "wJalrXUtnFEMI-K7MDENG"


@contextmanager
def store() -> Iterator[tuple[str, int]]:
    """Host and port of a store. Skips the test where moto is missing."""
    pytest.importorskip("s3fs", reason="s3fs is of the extra `cloud`")
    server = pytest.importorskip("moto.server", reason="moto is of the extra `test`")
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    try:
        yield running.get_host_and_port()
    finally:
        running.stop()


def client_of(url: str) -> Any:
    """boto3 for a store: a writer that is not ours."""
    import boto3

    return boto3.client(
        "s3",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="AKIA",
        aws_secret_access_key=SECRET,
    )


def put_survey(url: str, survey: Path, prefix: str = PREFIX) -> None:
    """Upload every file of a folder."""
    client = client_of(url)
    client.create_bucket(Bucket=BUCKET)
    for file in sorted(survey.rglob("*")):
        if file.is_file():
            key = f"{prefix}/{file.relative_to(survey).as_posix()}"
            client.put_object(Bucket=BUCKET, Key=key, Body=file.read_bytes())


def environment(url: str) -> dict[str, str]:
    """What tells every S3 library where the store is, and its credentials."""
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "AKIA",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "us-east-1",
    }

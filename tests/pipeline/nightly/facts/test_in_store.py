"""Surveys below a prefix in object storage, as a night sees them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cloud.store import BUCKET, client_of, environment, store

from crackpipe.pipeline.errors import NoReadableImageError
from crackpipe.pipeline.nightly.facts.in_store import listing_in_store, surveys_in_store
from crackpipe.pipeline.nightly.facts.network import Source


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    with store() as (host, port):
        url = f"http://{host}:{port}"
        for name, value in environment(url).items():
            monkeypatch.setenv(name, value)
        client = client_of(url)
        client.create_bucket(Bucket=BUCKET)
        yield client


def put(client: Any, *names: str, content: bytes = b"1") -> None:
    for name in names:
        client.put_object(Bucket=BUCKET, Key=f"surveys/{name}", Body=content)


def test_each_folder_below_the_prefix_is_a_survey(client: Any, tmp_path: Path) -> None:
    put(
        client,
        "b 1/x.tif",
        "a1/lane/x.tif",
        "notes.txt",
        ".trash/x.tif",
        "a1-cracks/cracks.parquet",
        "../e.tif",
    )
    source = Source("north", prefix=f"s3://{BUCKET}/surveys", results=tmp_path)
    assert [(each.key, each.place, each.out) for each in surveys_in_store(source)] == [
        ("north/a1", f"s3://{BUCKET}/surveys/a1", tmp_path / "a1-cracks"),
        ("north/b 1", f"s3://{BUCKET}/surveys/b 1", tmp_path / "b 1-cracks"),
    ]


def test_a_listing_is_another_one_where_an_object_came_or_changed(client: Any) -> None:
    address = f"s3://{BUCKET}/surveys/a1"
    put(client, "a1/lane/x.tif", "a1/lane/x.tfw", "a1/.DS_Store")
    first = listing_in_store(address)
    assert (first.images, first.top) == (1, frozenset())
    put(client, "a1/lane/x.tif", "a1/.other")  # written again, the same content
    assert listing_in_store(address) == first
    put(client, "a1/lane/x.tfw", content=b"2")
    assert listing_in_store(address).digest != first.digest
    put(client, "a1/_SUCCESS")
    assert listing_in_store(address).top == {"_SUCCESS"}


def test_a_prefix_without_surveys_is_named(client: Any, tmp_path: Path) -> None:
    put(client, "bare/notes.txt", "bare/a1-cracks/cracks.parquet")
    for prefix in (f"s3://{BUCKET}/surveys/bare", f"s3://{BUCKET}/survey"):  # without a survey, mistyped
        with pytest.raises(NoReadableImageError, match=f"no survey in {prefix}: .* Check `prefix`"):
            surveys_in_store(Source("north", prefix=prefix, results=tmp_path))


def test_a_bucket_that_is_not_there_is_named(client: Any, tmp_path: Path) -> None:
    with pytest.raises(NoReadableImageError, match="s3://nobody/surveys does not exist"):
        surveys_in_store(Source("north", prefix="s3://nobody/surveys", results=tmp_path))

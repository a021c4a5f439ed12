"""Addresses as text never hold secrets."""

from pathlib import Path

import pytest

from crackpipe.pipeline.errors import UsageError
from crackpipe.pipeline.request import asked
from crackpipe.pipeline.storage.cloud.address import address_of, is_address


@pytest.mark.parametrize(
    ("text", "shown", "name"),
    [
        ("s3://roads/2025/survey/", "s3://roads/2025/survey", "survey"),
        ("S3://roads", "s3://roads", "roads"),
        ("az://box/a%20b", "az://box/a%20b", "a%20b"),
        ("https://h.org/a%20b/list.txt?X-Amz-Signature=5ecre7", "https://h.org/a b/list.txt", "list.txt"),
        ("http://127.0.0.1:99/x.tif", "http://127.0.0.1:99/x.tif", "x.tif"),
    ],
)
def test_an_address_is_shown_without_its_query(text: str, shown: str, name: str) -> None:
    address = address_of(text)
    assert (str(address), address.name) == (shown, name)
    assert "5ecre7" not in repr(address)


@pytest.mark.parametrize(
    "text",
    [
        "s3://AKIA:5ecre7@roads/2025",
        "https://me:5ecre7@h.org/list.txt",
        "https://h.org:5ecre7/list.txt",
        "http://h.org/list.txt?5ecre7",
        "s3://",
    ],
)
def test_secrets_in_an_address_are_refused_and_not_quoted(text: str) -> None:
    with pytest.raises(UsageError) as error:
        address_of(text)
    assert "5ecre7" not in str(error.value)


@pytest.mark.parametrize("text", ["survey", "/srv/s3/x", "s3:/x", "ftp://h/x", "C:/roads"])
def test_paths_are_no_addresses(text: str) -> None:
    assert not is_address(text)


def test_a_survey_in_object_storage_needs_out() -> None:
    with pytest.raises(UsageError, match=r"^https://h.org/list.txt needs --out DIR"):
        asked(["https://h.org/list.txt?sig=5ecre7"], {})


def test_the_mirror_has_the_name_that_the_survey_has_on_disk(tmp_path: Path) -> None:
    request = asked(["s3://roads/2025/lane1", "s3://roads/2025/lane2/7.tif"], {"out": tmp_path})
    assert [source.name for source in request.sources] == ["lane1", "lane2"]
    assert request.places == ["s3://roads/2025/lane1", "s3://roads/2025/lane2/7.tif"]
    assert all(source.is_relative_to(tmp_path / ".crackpipe" / "cloud") for source in request.sources)

"""A list of signed addresses is a survey too, and no signature leaves the memory of the run."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from cloud.failing_proxy import FailingProxy, one_in
from cloud.runs import all_text, run_cloud
from cloud.store import BUCKET, PREFIX, client_of
from helpers import tree_hash

from crackpipe.pipeline.errors import CrackpipeError, ObjectStorageError, UsageError
from crackpipe.pipeline.storage.cloud import answers

SIGNATURE = "5ecre751gnature"
IMAGES = ("empty.tif", "lane1/a.tif", "lane1/b.tif", "lane2/strip.tif", "no-crs.tif", "notes.png")


@pytest.fixture
def proxy(target: tuple[str, int], monkeypatch: pytest.MonkeyPatch) -> Iterator[FailingProxy]:
    monkeypatch.setattr(answers, "WAITS_S", (0.01,) * 10)
    with FailingProxy(target) as proxy:
        yield proxy


def lines_of(proxy: FailingProxy) -> list[str]:
    base = f"{proxy.url}/{BUCKET}/{PREFIX}"
    return [f"base {base}/", *(f"{base}/{name}?X-Amz-Signature={SIGNATURE}" for name in IMAGES)]


@pytest.mark.parametrize("where", ["on disk", "at an address"])
def test_the_same_bytes_as_from_disk_and_no_signature_anywhere(  # noqa: PLR0917
    where: str,
    finished: Path,
    target: tuple[str, int],
    proxy: FailingProxy,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.INFO, "crackpipe")
    proxy.fault_of = one_in(4)
    if where == "on disk":
        (tmp_path / "survey.txt").write_text("\n".join(lines_of(proxy)))
        source = str(tmp_path / "survey.txt")
    else:
        lines = [f"{name}?X-Amz-Signature={SIGNATURE}" for name in IMAGES]
        client = client_of("http://{}:{}".format(*target))
        client.put_object(Bucket=BUCKET, Key=f"{PREFIX}/survey.txt", Body="\n".join(lines).encode())
        source = f"{proxy.url}/{BUCKET}/{PREFIX}/survey.txt?X-Amz-Signature={SIGNATURE}"
    assert run_cloud(tmp_path / "out", source).images_done == 3
    assert tree_hash(tmp_path / "out") == tree_hash(finished)
    ours = [record.getMessage() for record in caplog.records if record.name != "werkzeug"]  # the server's
    out, err = capfd.readouterr()
    said = "\n".join([*ours, out, *(line for line in err.splitlines() if " HTTP/1.1" not in line)])
    assert SIGNATURE not in said
    assert SIGNATURE.encode() not in all_text(tmp_path / "out")

    del proxy.asked[:]
    assert run_cloud(tmp_path / "out", source).unchanged
    assert {each.span for each in proxy.asked if "lane" in each.path} == {"bytes=0-0"}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{base}/b.tif sice=4", r"survey.txt:2: 'sice' is not known"),
        ("{base}/b.tif size=4k", r"survey.txt:2: size is '4k', but must be a number"),
        ("{base}/b.tif sha256=12", r"survey.txt:2: sha256 must be 64"),
        ("{base}/../other/b.tif?sig=5ecre7", r"survey.txt:2: .* does not lie below"),
        ("https://other.org/b.tif?sig=5ecre7", r"survey.txt:2: https://other.org/b.tif does not lie below"),
        ("lane1/b.tif?sig=5ecre7", r"survey.txt:2: this is no https address"),
        ("s3://roads/b.tif", r"survey.txt:2: s3://roads/b.tif is no https address"),
    ],
)
def test_a_line_that_cannot_be_meant_is_named(line: str, said: str, tmp_path: Path) -> None:
    pytest.importorskip("aiohttp", reason="aiohttp is of the extra `cloud`")
    base = "https://h.org/2025"
    text = line.format(base=base).replace("/2025/../", "/")
    (tmp_path / "survey.txt").write_text(f"base {base}/\n{text}\n")
    with pytest.raises(UsageError, match=said) as error:
        run_cloud(tmp_path / "out", str(tmp_path / "survey.txt"))
    assert "5ecre7" not in str(error.value)


def test_a_list_without_base_is_told_which_line_is_missing(tmp_path: Path) -> None:
    (tmp_path / "survey.txt").write_text("https://h.org/2025/lane1/a.tif?sig=5ecre7\n")
    with pytest.raises(UsageError, match=r"such as: base https://h.org/2025/lane1/$"):
        run_cloud(tmp_path / "out", str(tmp_path / "survey.txt"))


def test_an_address_that_expired_stops_the_run_and_the_next_one_goes_on(
    finished: Path, proxy: FailingProxy, tmp_path: Path
) -> None:
    (tmp_path / "survey.txt").write_text("\n".join(lines_of(proxy)))
    asked: list[str] = []
    proxy.on_object = asked.append
    proxy.fault_of = lambda n: "refused" if n >= 2 * len(IMAGES) else None  # behind sizes and heads
    with pytest.raises(ObjectStorageError, match=r"refuses .*expired, then run the same command") as error:
        run_cloud(tmp_path / "out", str(tmp_path / "survey.txt"))
    assert SIGNATURE not in str(error.value)
    assert error.value.exit_code == 69
    proxy.fault_of = lambda _: None
    run_cloud(tmp_path / "out", str(tmp_path / "survey.txt"))
    assert tree_hash(tmp_path / "out") == tree_hash(finished)


def test_https_is_read_as_a_list_alone(tmp_path: Path) -> None:
    with pytest.raises(CrackpipeError, match=r"https://h.org/2025 is no manifest"):
        run_cloud(tmp_path / "out", "https://h.org/2025/?sig=5ecre7")

"""A survey in object storage gives the same bytes as the same survey on disk, whatever the network does."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cloud.failing_proxy import FailingProxy, one_in
from cloud.runs import all_text, run_cloud
from cloud.store import ADDRESS, BUCKET, PREFIX, SECRET, client_of, environment
from helpers import tree_hash
from pyarrow.parquet import read_table

from crackpipe.pipeline.config import Config
from crackpipe.pipeline.errors import ConfigurationError, CrackpipeError, UsageError
from crackpipe.pipeline.export.to_store import export_to_store
from crackpipe.pipeline.request import Request
from crackpipe.pipeline.run import run
from crackpipe.pipeline.storage.cloud import answers, fill
from crackpipe.pipeline.storage.cloud.fill import BLOCK_BYTES


@pytest.fixture
def proxy(target: tuple[str, int], monkeypatch: pytest.MonkeyPatch) -> Iterator[FailingProxy]:
    with FailingProxy(target) as proxy:
        for name, value in environment(proxy.url).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(answers, "WAITS_S", (0.01,) * 20)
        yield proxy


def test_the_same_bytes_as_from_disk_where_one_request_in_three_fails(
    survey: Path, finished: Path, proxy: FailingProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy.fault_of = one_in(3)
    monkeypatch.setattr(fill, "PIECE_BYTES", 2 * BLOCK_BYTES)  # many requests
    summary = run_cloud(tmp_path / "out", ADDRESS)
    assert summary.images_done == 3
    assert tree_hash(tmp_path / "out") == tree_hash(finished)
    assert {each.fault for each in proxy.asked} >= {"503", "cut", "truncated", None}
    # each image came once, but for what a fault threw away: at most what one request asks for
    for name in ("lane1/a.tif", "lane1/b.tif", "lane2/strip.tif"):
        wasted = sum(each.given_bytes for each in proxy.asked if each.path.endswith(name) and each.fault)
        size = (survey / name).stat().st_size
        assert size <= proxy.given_bytes(name) <= size + wasted + BLOCK_BYTES
    assert not (tmp_path / "out" / ".crackpipe" / "cloud").exists()
    assert SECRET.encode() not in all_text(tmp_path / "out")

    del proxy.asked[:]
    assert run_cloud(tmp_path / "out", ADDRESS).unchanged
    assert not [each for each in proxy.asked if "lane" in each.path]


def test_an_object_that_changes_while_it_comes_is_quarantined_and_done_by_the_next_run(
    survey: Path, finished: Path, target: tuple[str, int], proxy: FailingProxy, tmp_path: Path
) -> None:
    client, key = client_of("http://{}:{}".format(*target)), f"{PREFIX}/lane1/b.tif"
    content = (survey / "lane1" / "b.tif").read_bytes()
    heads: list[str] = []

    def change(path: str) -> None:
        if path.endswith(key):
            heads.append(path)
            if len(heads) == 2:  # behind its head, which came while the run was planned
                client.put_object(Bucket=BUCKET, Key=key, Body=content + b"more")

    proxy.on_object = change
    summary = run_cloud(tmp_path / "out", ADDRESS)
    assert {row["image_id"]: row["reason"] for row in summary.quarantined}[
        "lane1/b.tif"
    ] == "changed-while-read"
    client.put_object(Bucket=BUCKET, Key=key, Body=content)
    assert run_cloud(tmp_path / "out", ADDRESS).images_run == 1
    assert tree_hash(tmp_path / "out") == tree_hash(finished)


@pytest.mark.slow
@pytest.mark.dask
def test_the_same_bytes_where_runs_are_killed(finished: Path, proxy: FailingProxy, tmp_path: Path) -> None:
    proxy.fault_of = one_in(20)  # 5 %
    out = tmp_path / "out"
    command = [sys.executable, "-m", "crackpipe", "run", ADDRESS, "--out", str(out)]
    command += ["--workers", "1", "--device", "cpu"]
    for kill_at in (4, 9):
        del proxy.asked[:]
        process = subprocess.Popen(
            command, env={**os.environ, "OMP_NUM_THREADS": "1"}, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 280
        while len(proxy.asked) < kill_at and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert run_cloud(out, ADDRESS).images_done == 3
    assert tree_hash(out) == tree_hash(finished)


def test_without_the_packages_the_error_names_the_line_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "adlfs", None)
    with pytest.raises(
        ConfigurationError, match=r"needs the package adlfs.*pip install 'crackpipe\[cloud\]'"
    ):
        run_cloud(tmp_path / "out", "az://box/2025")


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("s3://roads/2024", "no object in s3://roads/2024. Check bucket and prefix"),
        ("s3://no-such-bucket/2025", "s3://no-such-bucket/2025"),
    ],
)
def test_an_address_without_objects_is_named_and_makes_no_output(
    address: str, said: str, proxy: FailingProxy, tmp_path: Path
) -> None:
    with pytest.raises(CrackpipeError, match=said):
        run_cloud(tmp_path / "out", address)
    assert not (tmp_path / "out").exists()


def test_one_image_of_a_store_and_several_surveys(survey: Path, proxy: FailingProxy, tmp_path: Path) -> None:
    run_cloud(tmp_path / "one", f"{ADDRESS}/lane1/b.tif")
    assert read_table(tmp_path / "one" / "images.parquet")["image_id"].to_pylist() == ["b.tif"]
    run_cloud(tmp_path / "two", f"{ADDRESS}/lane1", str(survey / "lane2"))
    run(Request((survey / "lane1", survey / "lane2"), tmp_path / "disk", Config(), serial=True))
    assert tree_hash(tmp_path / "two") == tree_hash(tmp_path / "disk")


def test_an_export_is_uploaded_and_what_is_there_is_not_sent_again(
    finished: Path, target: tuple[str, int], proxy: FailingProxy, tmp_path: Path
) -> None:
    shutil.copytree(finished, tmp_path / "out")
    addresses = list(export_to_store(tmp_path / "out", ("csv",), f"s3://{BUCKET}/results"))
    assert addresses == [f"s3://{BUCKET}/results/{name}.csv" for name in ("cracks", "images")]
    client = client_of("http://{}:{}".format(*target))

    def times() -> dict[str, object]:
        found = client.list_objects_v2(Bucket=BUCKET, Prefix="results/")["Contents"]
        return {each["Key"]: each["LastModified"] for each in found}

    before = times()
    for name in ("cracks", "images"):
        there = client.get_object(Bucket=BUCKET, Key=f"results/{name}.csv")["Body"].read()
        assert there == (tmp_path / "out" / f"{name}.csv").read_bytes()
    assert list(export_to_store(tmp_path / "out", ("csv",), f"s3://{BUCKET}/results")) == addresses
    assert times() == before
    with pytest.raises(UsageError, match="cannot be written"):
        list(export_to_store(tmp_path / "out", ("csv",), "https://h.org/results?sig=5ecre7"))

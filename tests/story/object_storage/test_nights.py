"""Nights of a source in object storage: surveys are run, left alone, and run again where one changed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cloud.store import BUCKET, SECRET, client_of, environment, put_survey, store

NETWORK = f"""
output = "out"
[sources.cloud]
prefix = "s3://{BUCKET}/2025"
quiet_minutes = 0
"""


def night(home: Path, url: str) -> tuple[int, dict[str, dict[str, object]]]:
    """Exit code of a night, and its surveys by name."""
    command = [sys.executable, "-m", "crackpipe", "nightly", "network.toml", "--serial"]
    variables = {**os.environ, **environment(url)}
    ended = subprocess.run(command, cwd=home, env=variables, capture_output=True, text=True, check=False)
    said = (home / "out/summary.json").read_text()
    assert SECRET not in ended.stdout + ended.stderr + said
    assert ended.returncode == json.loads(said)["exit_code"], ended.stderr
    return ended.returncode, {each["survey"]: each for each in json.loads(said)["surveys"]}


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_nights_of_a_prefix(survey: Path, tmp_path: Path) -> None:
    (tmp_path / "network.toml").write_text(NETWORK)
    with store() as (host, port):
        url = f"http://{host}:{port}"
        put_survey(url, survey, "2025/a")
        code, first = night(tmp_path, url)
        assert code == 3  # two files of the survey are in quarantine
        assert (first["cloud/a"]["state"], first["cloud/a"]["images"]["run"]) == ("done", 3)  # type: ignore[index]
        assert list((tmp_path / "out/network/cracks").glob("year=*/source=cloud/*.parquet"))

        assert night(tmp_path, url)[1]["cloud/a"]["state"] == "unchanged"

        content = (survey / "lane1/b.tif").read_bytes()
        client_of(url).put_object(Bucket=BUCKET, Key="2025/a/lane1/a.tif", Body=content)
        code, third = night(tmp_path, url)
        assert (code, third["cloud/a"]["state"]) == (3, "done")

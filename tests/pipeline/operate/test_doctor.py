"""What doctor says of this machine, in words and as JSON."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from run_record import form_faults, schema_of
from users import as_mere_mortal

from crackpipe.cli import cli
from crackpipe.pipeline.cluster import limits
from crackpipe.pipeline.operate import doctor
from crackpipe.pipeline.operate.doctor import Finding, examine, lines, record_of

FORM = schema_of("doctor")


def test_json_has_numbers_and_the_form_that_the_schema_describes() -> None:
    result = CliRunner().invoke(cli, ["doctor", "--json"])
    record = json.loads(result.stdout)
    assert form_faults(record, FORM) == []
    assert result.exit_code == (0 if record["sound"] else 1)
    figures = {each["name"]: each["figures"] for each in record["findings"]}
    assert figures["cores"]["usable"] == limits.cores().usable
    assert figures["memory"]["workers"] > 0
    assert 0 < figures["memory"]["free_gib"] <= figures["memory"]["total_gib"]
    assert figures["disk here"]["free_gib"] > 0
    assert figures["torch"] == {}


def test_words_and_json_name_the_same_findings() -> None:
    findings = examine()
    said = list(lines(findings))
    for finding in record_of(findings)["findings"]:
        begin = f"{'ok' if finding['sound'] else '!!'}  {finding['name']}"
        assert any(line.startswith(begin) and line.endswith(str(finding["value"])) for line in said)


def test_what_is_missing_is_null_and_has_a_remedy() -> None:
    findings = [Finding("torch", None, False, "pip install torch"), Finding("zarr", "3.1")]
    record = record_of(findings)
    assert form_faults(record, FORM) == []
    assert record["sound"] is False
    assert record["findings"][0]["value"] is None
    assert record["findings"][1]["remedy"] is None
    assert list(lines(findings)) == [
        "!!  torch  missing",
        "ok  zarr   3.1",
        "-> torch: pip install torch",
        "1 problem(s).",
    ]


@pytest.mark.slow
def test_in_a_folder_that_its_user_may_not_enter_all_else_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where `runuser` starts in root's own folder."""
    (tmp_path / "locked/inner").mkdir(parents=True)
    command = as_mere_mortal([sys.executable, "-P", "-m", "crackpipe", "doctor", "--json"])
    with monkeypatch.context() as within:
        within.chdir(tmp_path / "locked/inner")
        (tmp_path / "locked").chmod(0)
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        (tmp_path / "locked").chmod(0o700)
    record = json.loads(ended.stdout)
    assert form_faults(record, FORM) == []
    assert ended.returncode == (0 if record["sound"] else 1)
    findings = {each["name"]: each for each in record["findings"]}
    assert findings["memory"]["figures"]["workers"] > 0
    assert "may not enter" in findings["disk here"]["value"]


def test_a_torch_that_cannot_be_loaded_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)  # importing it raises ImportError
    [finding] = doctor._devices()
    assert not finding.sound
    assert finding.remedy.endswith("Install torch again.")

"""Does the guard in conftest.py find what a test leaves behind?"""

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

TESTS = Path(__file__).parent

CASES = """
import os
import shutil
import tempfile

import pytest
import torch


def test_nothing_left(monkeypatch):
    monkeypatch.setenv("CRACKPIPE_LEFT", "1")
    shutil.rmtree(tempfile.mkdtemp())


def test_variable_set():
    os.environ["CRACKPIPE_LEFT"] = "a-secret"


def test_variable_removed():
    del os.environ["CRACKPIPE_GIVEN"]


def test_folder():
    os.chdir("/")


def test_threads():
    torch.set_num_threads(torch.get_num_threads() + 1)


@pytest.mark.slow
def test_file_of_a_slow_test():
    tempfile.mkdtemp()


def test_nothing_left_of_those_before():
    assert "CRACKPIPE_LEFT" not in os.environ
    assert os.environ["CRACKPIPE_GIVEN"] == "1"
    assert os.getcwd() != "/"


def test_file():
    tempfile.mkdtemp()
"""

LEAVING = {
    "test_variable_set": "variables ['CRACKPIPE_LEFT']",
    "test_variable_removed": "variables ['CRACKPIPE_GIVEN']",
    "test_folder": "working folder",
    "test_threads": "torch's threads",
    "test_file": "temporary files",
}


def test_what_a_test_leaves_is_found_and_put_back(tmp_path: Path) -> None:
    (tmp_path / "test_cases.py").write_text(CASES)
    command = [sys.executable, "-m", "pytest", "-p", "conftest", "-p", "no:randomly", "test_cases.py"]
    found = subprocess.run(
        [*command, "--basetemp=inner", "--junitxml=found.xml"],
        env=os.environ | {"PYTHONPATH": f"{TESTS}:{TESTS / 'support'}", "CRACKPIPE_GIVEN": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    cases = ElementTree.parse(tmp_path / "found.xml").iter("testcase")
    errors = {case.attrib["name"]: error.attrib["message"] for case in cases for error in case.iter("error")}
    assert sorted(errors) == sorted(LEAVING), found.stdout
    for name, left in LEAVING.items():
        assert left in errors[name]
        assert "a-secret" not in errors[name]

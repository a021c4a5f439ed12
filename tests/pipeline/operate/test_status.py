"""How far a run has come, told from its output alone, in words and as JSON."""

import json
import os
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from first_outputs import ARCHIVE, request, unpack
from run_record import form_faults, schema_of

from crackpipe.cli import cli
from crackpipe.pipeline.console.log import log
from crackpipe.pipeline.errors import ConfigurationError, UsageError
from crackpipe.pipeline.operate.status import status, status_lines
from crackpipe.pipeline.operate.verify import verify
from crackpipe.pipeline.request import Request
from crackpipe.pipeline.run import run
from crackpipe.pipeline.state import lock
from crackpipe.pipeline.state.output import Output
from crackpipe.pipeline.state.owner import this_process

FORM = schema_of("status")


def test_an_output_of_commit_5f0e436_is_understood(tmp_path: Path) -> None:
    unpack(tmp_path)
    lines = list(status_lines(status(tmp_path / "default")))
    finished = json.loads((tmp_path / "default" / "run.json").read_text())["finished"]
    assert lines[:6] == [
        "running: no",
        "images done: 2",
        "images unfinished: 0 (0 blocks on disk)",
        "tables: 1 cracks, 0.1 m",
        f"last run that came to its end: {finished}",
        "images in quarantine: 1",
    ]
    assert lines[6].startswith("  no-crs.tif: no-crs: it names no coordinate reference system")


def test_json_has_numbers_and_the_form_that_the_schema_describes(finished: Path) -> None:
    result = CliRunner().invoke(cli, ["status", str(finished), "--json"])
    assert result.exit_code == 0, result.output
    state = json.loads(result.stdout)
    assert form_faults(state, FORM) == []
    assert (state["output"], state["running"], state["blocks_on_disk"]) == (str(finished), None, 0)
    assert state["images"] == {"done": 3, "unfinished": 0, "quarantined": 3}
    counts = json.loads((finished / "run.json").read_text())["counts"]
    assert state["tables"] == {"cracks": counts["cracks"], "length_m": counts["length_m"]}
    assert [row["reason"] for row in state["quarantined"]] == ["empty-file", "no-crs", "not-an-image"]


@pytest.fixture
def done_and_cut_off(tmp_path: Path) -> Request:
    """Of a.tif and b.tif, both done, the first was cut off within its header since; no-crs.tif never was."""
    unpack(tmp_path)
    whole = request(tmp_path, "default")
    run(whole)
    os.truncate(tmp_path / "survey" / "a.tif", 40)
    run(whole)
    return whole


def test_an_image_that_was_done_and_is_refused_now_is_in_quarantine_alone(done_and_cut_off: Request) -> None:
    out = done_and_cut_off.out
    state = status(out)
    assert state["images"] == {"done": 1, "unfinished": 0, "quarantined": 2}
    assert [row["image_id"] for row in state["quarantined"]] == ["a.tif", "no-crs.tif"]
    assert "images done: 1" in list(status_lines(state))
    table = pq.read_table(out / "images.parquet", columns=["image_id", "status"]).to_pylist()
    assert [row["image_id"] for row in table if row["status"] == "done"] == ["b.tif"]
    assert (out / "masks.zarr" / "a.tif").exists()  # as docs/use/bad-input.md says
    assert verify(out).findings == []


def test_an_image_that_was_refused_and_is_done_since_counts_as_done(done_and_cut_off: Request) -> None:
    """As beside a live run, or after a kill: run.json still speaks of the run before."""
    before = (done_and_cut_off.out / "run.json").read_bytes()
    with tarfile.open(ARCHIVE) as archive:
        archive.extract("survey/a.tif", done_and_cut_off.sources[0].parent, filter="data")
    run(done_and_cut_off)
    (done_and_cut_off.out / "run.json").write_bytes(before)
    state = status(done_and_cut_off.out)
    assert state["images"] == {"done": 2, "unfinished": 0, "quarantined": 1}
    assert [row["image_id"] for row in state["quarantined"]] == ["no-crs.tif"]


def test_what_is_unknown_is_null(tmp_path: Path) -> None:
    output = Output(tmp_path / "out")
    output.create()
    (output.staging("a.tif") / "blocks").mkdir(parents=True)
    (output.staging("a.tif") / "blocks" / "0-0").touch()
    state = status(output.root)
    assert form_faults(state, FORM) == []
    assert (state["tables"], state["last_run_finished"], state["running"]) == (None, None, None)
    assert (state["images"]["unfinished"], state["blocks_on_disk"]) == (1, 1)
    assert list(status_lines(state)) == [
        "running: no",
        "images done: 0",
        "images unfinished: 1 (1 blocks on disk)",
        "images in quarantine: 0",
    ]


def test_a_run_that_is_going_on_is_named(tmp_path: Path) -> None:
    output = Output(tmp_path / "out")
    output.create()
    with lock.locked(output, "a run"):
        state = status(output.root)
        assert form_faults(state, FORM) == []
        me = this_process("a run")
        assert state["running"] == {"process": str(me), "host": me.host, "pid": me.pid}
        assert next(status_lines(state)) == f"running: yes, {me}"
        (output.hidden / "owner.json").unlink()  # as while a run is just starting
        state = status(output.root)
        assert form_faults(state, FORM) == []
        assert state["running"] == {"process": "another process", "host": None, "pid": None}


def test_a_folder_that_is_no_output_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no \.crackpipe folder"):
        status(tmp_path)


@pytest.fixture
def quiet_afterwards() -> Iterator[None]:
    """Commands of the command line make the log talk; afterwards it is as it was."""
    handlers, level, propagate = log.handlers[:], log.level, log.propagate
    yield
    log.handlers[:] = handlers
    log.setLevel(level)
    log.propagate = propagate


@pytest.mark.usefixtures("quiet_afterwards")
@pytest.mark.parametrize(
    "command",
    [
        "status OUT --json",
        "verify OUT --repair",
        "clean OUT",
        "retry-quarantined OUT",
        "unlock OUT",
        "run SURVEY --out OUT",
        "run SURVEY --out OUT --dry-run",
        "dataset PAIRS --run OUT --reviewed LINES",
    ],
)
def test_an_output_of_a_newer_layout_is_left_alone(
    command: str, survey: Path, finished: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    shutil.copytree(finished, out)
    (out / ".crackpipe" / "version.json").write_text('{"layout": 2}\n')
    before = {file: file.stat().st_mtime_ns for file in out.rglob("*")}
    words = {"OUT": out, "SURVEY": survey, "PAIRS": tmp_path / "pairs", "LINES": finished / "cracks.parquet"}
    result = CliRunner().invoke(cli, [str(words.get(word, word)) for word in command.split()])
    assert isinstance(result.exception, ConfigurationError), result.output
    assert result.exception.exit_code == 78
    assert "made by a newer crackpipe: version.json says layout 2" in str(result.exception)
    assert result.stdout == ""
    assert {file: file.stat().st_mtime_ns for file in out.rglob("*")} == before

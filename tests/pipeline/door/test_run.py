"""A survey is run from Python."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import tree_hash

import crackpipe
from crackpipe.pipeline.console.progress import STAGES


def test_the_result_is_that_of_the_command_and_progress_is_told(
    survey: Path, finished: Path, tmp_path: Path
) -> None:
    told: list[crackpipe.Progress] = []
    out = crackpipe.run(survey, out=tmp_path / "out", serial=True, progress=told.append)
    assert tree_hash(out.path) == tree_hash(finished)
    assert list(dict.fromkeys(each.stage for each in told)) == list(STAGES)
    last = told[-1]
    assert (last.tiles, last.images) == (last.tiles_total, last.images_total) == (last.tiles, 3)
    assert last.quarantined == 3 and last.road_km == pytest.approx(0.0027, abs=1e-4) and last.left_s is None
    shares = [each.tiles for each in told]
    assert shares == sorted(shares)
    # nothing is left to do: the same result, at once
    told.clear()
    assert repr(crackpipe.run(str(survey), out=str(out.path), serial=True, progress=told.append)) == repr(out)
    assert [each.stage for each in told] == ["survey", "tables", "exports"]


def test_what_progress_raises_stops_the_run_which_goes_on_later(
    survey: Path, finished: Path, tmp_path: Path
) -> None:
    def stop(progress: crackpipe.Progress) -> None:
        if progress.images == 1:
            raise InterruptedError("enough")

    with pytest.raises(InterruptedError, match="enough"):
        crackpipe.run(survey, out=tmp_path / "out", serial=True, progress=stop)
    out = crackpipe.run(survey, out=tmp_path / "out", serial=True)
    assert out.record["counts"]["images_run"] < 3
    assert tree_hash(out.path) == tree_hash(finished)


def test_errors_are_those_of_the_command(tmp_path: Path) -> None:
    with pytest.raises(crackpipe.CrackpipeError, match="no image found") as caught:
        crackpipe.run(tmp_path, serial=True)
    assert caught.value.exit_code == 66


@pytest.mark.dask
def test_a_script_needs_no_guard_against_its_own_workers(survey: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import crackpipe\n"
        "print('once', flush=True)\n"
        f"out = crackpipe.run({str(survey / 'lane1')!r}, out='out', workers=1)\n"
        "print(out.images.status.tolist(), __name__)\n"
    )
    done = subprocess.run(
        [sys.executable, script], cwd=tmp_path, capture_output=True, text=True, check=False,
        env=os.environ | {"TMPDIR": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["once", "['done', 'done'] __main__"]

"""The code of docs/use/python.md runs as it stands, in one go, where a clone is the working folder."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from paths import ROOT

BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.dask
def test_the_tutorial_runs_as_it_stands(tmp_path: Path) -> None:
    blocks = BLOCK.findall((ROOT / "docs" / "use" / "python.md").read_text(encoding="utf-8"))
    assert len(blocks) >= 7
    (tmp_path / "sample_data").symlink_to(ROOT / "sample_data")
    (tmp_path / "tutorial.py").write_text("\n".join(blocks))
    done = subprocess.run(
        [sys.executable, "tutorial.py"], cwd=tmp_path, capture_output=True, text=True, check=False,
        env=os.environ | {"TMPDIR": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = done.stdout
    assert "tables: 16/16 tiles, 1 images" in said
    assert re.search(r"<CrackMap .*lane1-cracks: 1 images, 0 in quarantine, \d+ cracks, ", said)
    assert "exit code 2: sample_data is no output of crackpipe run" in said
    assert (tmp_path / "wide.geojson").is_file()

"""Options that several commands have."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from crackpipe.cli import cli
from crackpipe.commands.options import check_out
from crackpipe.pipeline.errors import OutputNotWritableError


@pytest.mark.parametrize(
    "command",
    [
        "train",
        "weights import",
        "weights familiarity --weights lite",
        "adapt --unlabelled",
        f"adapt --train {__file__}",
    ],
)
def test_weights_that_cannot_be_written_are_refused_before_the_work(command: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "data").mkdir()
    given = tmp_path / ("file" if command.endswith("import") else "data")  # nothing in it is looked at
    out = tmp_path / "file" / "y.safetensors"
    with pytest.raises(
        OutputNotWritableError, match=r"y\.safetensors cannot be written: .*/file is no folder"
    ):
        CliRunner().invoke(cli, [*command.split(), str(given), "--out", str(out)], catch_exceptions=False)


def test_what_may_be_written(tmp_path: Path) -> None:
    check_out(tmp_path / "new" / "folder" / "y.safetensors")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "z.safetensors").mkdir()
    with pytest.raises(OutputNotWritableError, match="it is a folder"):
        check_out(tmp_path / "z.safetensors")
    (tmp_path / "y").write_bytes(b"")
    check_out(tmp_path / "y.safetensors")
    with pytest.raises(OutputNotWritableError, match="y is a file, but a training needs a folder"):
        check_out(tmp_path / "y.safetensors", tmp_path / "y")

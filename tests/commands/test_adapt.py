"""`crackpipe adapt` as a person types it."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from crackpipe.cli import cli
from crackpipe.pipeline.adapt import learn
from crackpipe.pipeline.errors import MemoryShortError, UsageError


def test_a_folder_beside_the_run_is_written(finished: Path, tmp_path: Path) -> None:
    arguments = ["adapt", str(finished), "--pick", "3", "--to", str(tmp_path / "tiles"), "--side", "384"]
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 0, result.output
    assert result.output.splitlines()[-1] == (
        f"Next: {tmp_path / 'tiles' / 'README.txt'} tells the steps in QGIS"
    )
    trained = CliRunner().invoke(
        cli, ["adapt", str(finished), "--train", str(tmp_path / "tiles" / "tiles.gpkg")]
    )
    assert isinstance(trained.exception, UsageError)
    assert "none of its 3 tiles has reviewed = true" in str(trained.exception)


@pytest.mark.parametrize("asked", [[], ["--pick", "3", "--unlabelled"]])
def test_one_thing_at_a_time(finished: Path, asked: list[str]) -> None:
    result = CliRunner().invoke(cli, ["adapt", str(finished), *asked])
    assert isinstance(result.exception, UsageError)
    assert "say one of --pick N, --train FILE and --unlabelled" in str(result.exception)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (["--pick", "3", "--minutes", "3"], "--minutes belongs to --train, not to --pick: leave it out"),
        (["--pick", "3", "--tiles", "7"], "--tiles belongs to --train, not to --pick"),
        (["--pick", "3", "--out", "x"], "--out belongs to --train and --unlabelled, not to --pick"),
        (["--pick", "3", "--device", "cpu"], "--device belongs to --train and --unlabelled, not to --pick"),
        (["--unlabelled", "--processes", "1"], "--processes belongs to --train, not to --unlabelled"),
        (["--train", __file__, "--side", "384"], "--side belongs to --pick, not to --train"),
        (["--train", __file__, "--to", "x"], "--to belongs to --pick, not to --train"),
        (["--train", __file__, "--minutes", "3", "--tiles", "7"], "give one of them"),
    ],
)
def test_options_of_other_steps_are_refused(tmp_path: Path, asked: list[str], words: str) -> None:
    result = CliRunner().invoke(cli, ["adapt", str(tmp_path), *asked])
    assert isinstance(result.exception, UsageError)
    assert words in str(result.exception)


def test_a_killed_process_is_told_with_what_works_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`adapt` has no --resume, and goes on with the same number of processes only."""

    def killed(_: learn.LearnRequest) -> None:
        raise MemoryError("process 2 of 3 of the training was killed (SIGKILL)")

    monkeypatch.setattr(learn, "learn", killed)
    asked = ["--train", __file__, "--out", str(tmp_path / "mine.safetensors"), "--processes", "3"]
    result = CliRunner().invoke(cli, ["adapt", str(tmp_path), *asked, "--device", "cpu"])
    assert isinstance(result.exception, MemoryShortError)
    assert str(result.exception) == (
        "process 2 of 3 of the training was killed (SIGKILL). Free some memory and repeat the same command, "
        f"which goes on from its last checkpoint; or remove {tmp_path / 'mine'} and give fewer --processes "
        "than 3"
    )


def test_more_processes_than_gpus_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crackpipe.model.predict.predictor.resolve_device", lambda _: "cuda")
    monkeypatch.setattr("crackpipe.pipeline.cluster.gpus.gpu_count", lambda: 2)
    out = tmp_path / "new" / "mine.safetensors"
    asked = ["--train", __file__, "--out", str(out), "--processes", "3"]
    result = CliRunner().invoke(cli, ["adapt", str(tmp_path), *asked, "--device", "cuda"])
    assert isinstance(result.exception, UsageError)
    assert str(result.exception).startswith(
        "3 training processes need a GPU each, but this machine has 2 usable GPU(s). Give at most 2 "
        "(--processes, under torchrun --nproc-per-node), or --device cpu;"
    )
    assert not out.parent.exists()

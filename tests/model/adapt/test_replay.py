"""Rendered roads that train along."""

import hashlib
from pathlib import Path

import pytest

from crackpipe.model.adapt.replay import draw, pictures_for
from crackpipe.model.data.pairs import load_pairs


def test_a_longer_training_replays_more() -> None:
    assert [pictures_for(tiles) for tiles in (4, 600, 2400, 1e6)] == [8, 40, 160, 160]


@pytest.mark.slow
def test_processes_do_not_change_the_pictures(tmp_path: Path) -> None:
    def drawn(name: str, processes: int) -> dict[str, str]:
        folder = draw(tmp_path / name, 3, processes)
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        return {
            str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files
        }

    assert drawn("one", 1) == drawn("two", 2)
    assert [pair.set_name for pair in load_pairs([tmp_path / "one"], validation=False)] == [
        "rendered_cameras"
    ] * 3

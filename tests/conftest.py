"""A small real survey: rendered pavement with known cracks, and what belongs into quarantine."""

from pathlib import Path

import pytest
from helpers import STRIP_CRACK, crack, write_scene

from crackpipe.model.render.picture import clean_scene


@pytest.fixture(scope="session")
def survey(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three images to inspect (one of several blocks if blocks are small) and three for quarantine."""
    folder = tmp_path_factory.mktemp("data") / "survey"
    cracks = (crack(40, 60, 560, 700, 4.0), crack(300, 380, 60, 720, 2.5))
    write_scene(folder / "lane1" / "a.tif", clean_scene(600, 800, seed=1, cracks=cracks))
    write_scene(folder / "lane1" / "b.tif", clean_scene(300, 420, seed=2), x=500_001.0)
    write_scene(
        folder / "lane2" / "strip.tif", clean_scene(1500, 420, seed=3, cracks=(STRIP_CRACK,)), x=500_003.0
    )
    write_scene(folder / "no-crs.tif", clean_scene(300, 300, seed=4), crs=None)
    (folder / "empty.tif").write_bytes(b"")
    (folder / "notes.png").write_text("not an image")
    return folder

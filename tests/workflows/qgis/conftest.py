"""The plugin as it is installed: unpacked from its zip."""

import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from paths import ROOT

SOURCE = ROOT / "workflows" / "qgis"


@pytest.fixture(scope="session")
def plugins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder of plugins with ours in it, on Python's path. QGIS is not needed."""
    folder = tmp_path_factory.mktemp("plugins")
    sys.path[:0] = [str(folder), str(SOURCE)]
    from make_zip import make_zip

    make_zip(folder / "plugin.zip")
    with zipfile.ZipFile(folder / "plugin.zip") as archive:
        archive.extractall(folder)
    yield folder
    sys.path.remove(str(SOURCE))
    sys.path.remove(str(folder))

"""What is installed: the code and the embedded weights, whole and once, and nothing else."""

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder
from paths import ROOT

from crackpipe import __version__

LINKS = ("cli.py", "commands", "model", "pipeline")
INFO = f"crackpipe-{__version__}.dist-info"
WHEEL_LIMIT_MB = 45  # five networks of 8.3 MB and the code


def build_wheel(source: Path, out: Path, version: str = "standard") -> Path:
    (wheel,) = WheelBuilder(str(source)).build(directory=str(out), versions=[version])
    return Path(wheel)


def contents(wheel: Path) -> dict[str, bytes]:
    """Name -> bytes. A name that is there twice fails."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        assert len(names) == len(set(names))
        return {name: archive.read(name) for name in names}


def files_of_the_house() -> set[str]:
    """Code and embedded weights, as an import sees them."""
    kinds = {".py", ".typed", ".safetensors", ".html", ".css", ".js", ".toml", ".txt"}
    files = [file for name in LINKS[1:] for file in (ROOT / name).rglob("*") if file.suffix in kinds]
    named = {f"crackpipe/{file.relative_to(ROOT).as_posix()}" for file in files}
    own = {f"crackpipe/{file.name}" for file in (ROOT / "crackpipe").iterdir() if file.suffix in kinds}
    licence = {f"crackpipe/model/weights/embedded/{name}" for name in ("LICENSE.md", "SHA256SUMS")}
    return named | own | licence | {"crackpipe/cli.py"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source archive, made and unpacked."""
    out = tmp_path_factory.mktemp("sdist")
    (archive,) = SdistBuilder(str(ROOT)).build(directory=str(out), versions=["standard"])
    with tarfile.open(archive) as tar:
        tar.extractall(out, filter="data")
    return out / f"crackpipe-{__version__}"


@pytest.fixture
def without_links(tmp_path: Path) -> Path:
    """The source as git writes it where it may make no symbolic links: text files with the target."""
    source = tmp_path / "source"
    (source / "crackpipe").mkdir(parents=True)
    for name in LINKS:
        (source / name).symlink_to(ROOT / name)  # saves a copy of the weights
        (source / "crackpipe" / name).write_text(f"../{name}")
    for name in ("crackpipe/__init__.py", "crackpipe/__main__.py", "crackpipe/py.typed"):
        (source / name).write_bytes((ROOT / name).read_bytes())
    for name in ("pyproject.toml", "README.md", "LICENSE", ".gitignore", ".ci"):
        if (ROOT / name).exists():
            (source / name).symlink_to(ROOT / name)
    return source


def test_the_wheel_holds_code_and_embedded_weights_and_nothing_else(wheel: Path) -> None:
    files = set(contents(wheel))
    assert {name for name in files if not name.startswith(f"{INFO}/")} == files_of_the_house()


def test_the_wheel_is_small(wheel: Path) -> None:
    assert wheel.stat().st_size < WHEEL_LIMIT_MB * 1_000_000


def test_the_wheel_brings_its_licences_and_its_command(wheel: Path) -> None:
    files = contents(wheel)
    for name in ("LICENSE", "model/weights/embedded/LICENSE.md"):
        assert files[f"{INFO}/licenses/{name}"] == (ROOT / name).read_bytes()
    assert b"crackpipe = crackpipe.cli:main" in files[f"{INFO}/entry_points.txt"]


def test_the_citation_names_this_version() -> None:
    assert f'\nversion: "{__version__}"\n' in (ROOT / "CITATION.cff").read_text(encoding="utf-8")


def test_the_source_archive_holds_each_file_once_and_no_link(unpacked: Path) -> None:
    assert [path for path in unpacked.rglob("*") if path.is_symlink()] == []
    assert sorted(path.name for path in (unpacked / "crackpipe").iterdir()) == [
        "__init__.py",
        "__main__.py",
        "py.typed",
    ]
    assert {"pipeline", "model", "commands", "cli.py", "tests", "docs"} <= {
        path.name for path in unpacked.iterdir()
    }


def test_a_wheel_made_from_the_source_archive_is_the_same(
    wheel: Path, unpacked: Path, tmp_path: Path
) -> None:
    assert contents(build_wheel(unpacked, tmp_path)) == contents(wheel)


def test_a_wheel_made_without_symbolic_links_is_the_same(
    wheel: Path, without_links: Path, tmp_path: Path
) -> None:
    assert contents(build_wheel(without_links, tmp_path / "out")) == contents(wheel)


def test_an_editable_install_copies_no_code(tmp_path: Path) -> None:
    files = contents(build_wheel(ROOT, tmp_path, "editable"))
    assert [name for name in files if not name.startswith(f"{INFO}/")] == ["_crackpipe.pth"]
    assert files["_crackpipe.pth"].decode() == str(ROOT)


def first_import(folder: Path) -> str:
    """What Python says last, started in this folder without site-packages."""
    code = "import crackpipe; print('fine')"
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], cwd=folder, capture_output=True, text=True, check=False
    )
    return (done.stdout + done.stderr).strip().splitlines()[-1]


def test_the_first_import_says_what_a_clone_without_symbolic_links_lacks(without_links: Path) -> None:
    assert first_import(without_links) == (
        f"ImportError: {without_links}/crackpipe/pipeline is not a folder: this copy of the source was made "
        "without symbolic links. Install it with `pip install .` and start Python in another folder, "
        "or clone it again with `git clone -c core.symlinks=true`."
    )


def test_the_first_import_in_an_unpacked_source_archive_says_the_same(unpacked: Path) -> None:
    assert "made without symbolic links. Install it with `pip install .`" in first_import(unpacked)


def test_the_first_import_says_nothing_where_the_links_are() -> None:
    assert first_import(ROOT) == "fine"

"""Where weights are: names, files, SHA-256. Without torch, which takes seconds to import.

The embedded files lie in the folder `embedded/` beside this module and are checked against
`embedded/SHA256SUMS` (`sha256sum -c` understands it).
"""

import hashlib
import os
from functools import cache
from pathlib import Path

from crackpipe.model.weights import header
from crackpipe.model.weights.metadata import WeightsError

FOLDER = Path(__file__).parent / "embedded"
"""The embedded files."""

ALIASES = {
    "lite": "context-cracknet-lite",
    "lite-2025": "context-cracknet-lite-2025",
    "lite-cracksc": "context-cracknet-lite-cracksc",
    "lite-drawn": "context-cracknet-lite-drawn",
    "lite-research": "context-cracknet-lite-research",
    "full": "context-cracknet",
}

RENAMED = {"lite-open": "lite", "context-cracknet-lite-open": "lite"}
"""Names of before -> today's. They go with the next release."""

MAX_BYTES = 2 * 1024**3
"""Larger files are refused before they are read; the full network in fp32 has 330 MB."""


def available() -> list[str]:
    """Names of the embedded weights, sorted."""
    return sorted(path.stem for path in FOLDER.glob("*.safetensors"))


def find(name_or_path: str | os.PathLike[str]) -> Path:
    """The file that is meant by an embedded name, by `lite` or another name of `ALIASES`, or by a path.

    A name goes before a file of the same name in the current folder; `./lite` means the file.
    Raises WeightsError if it is neither a name nor a file.
    """
    name = os.fspath(name_or_path)
    name = RENAMED.get(name, name)
    names = available()
    if ALIASES.get(name, name) in names:
        return FOLDER / f"{ALIASES.get(name, name)}.safetensors"
    if Path(name).is_file():
        return Path(name)
    raise WeightsError(
        f"no weights {name!r}: neither a file nor embedded ({', '.join(names) or 'there are none'}); "
        f"give an embedded name or the path of a .safetensors file"
    )


def name_of(network_sha256: str) -> str | None:
    """The shortest name of the embedded file with this `header.network_sha256`; None for any other file."""
    stem = _stems().get(network_sha256)
    return next((short for short, long in ALIASES.items() if long == stem), stem)


@cache
def _stems() -> dict[str, str]:
    """`header.network_sha256` of every embedded file -> its name, without suffix."""
    contents = {stem: (FOLDER / f"{stem}.safetensors").read_bytes() for stem in available()}
    return {
        header.network_sha256(content, header.metadata_of(content)): stem
        for stem, content in contents.items()
    }


def shown_name(path: Path, stated: str | None) -> str:
    """The name of weights in messages and tables: `stated` by their metadata, else that of their file.

    An embedded file goes by its own name, because `lite-2025` still states that of the default it once was.
    """
    return path.stem if stated is None or path.parent == FOLDER else stated


def notice_of(name_or_path: str | os.PathLike[str]) -> str | None:
    """What to say to somebody who uses a name of before."""
    name = os.fspath(name_or_path)
    if name not in RENAMED:
        return None
    return f"weights {name} are now called {RENAMED[name]}; the old name goes with the next release"


def read(name_or_path: str | os.PathLike[str]) -> tuple[Path, str, bytes]:
    """Path, SHA-256 (lower-case hex) and content of a weights file; an embedded one is checked.

    Raises WeightsError for an unknown name, a file that cannot be read or is too large, and an embedded file
    that was changed.
    """
    path = find(name_or_path)
    content = _read_bytes(path)
    sha256 = hashlib.sha256(content).hexdigest()
    if path.parent == FOLDER:
        _check_sum(path, sha256)
    return path, sha256, content


def update_sums(folder: Path = FOLDER) -> None:
    """Rewrite `SHA256SUMS` of the folder from the .safetensors files that are there."""
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n"
        for path in sorted(folder.glob("*.safetensors"))
    ]
    (folder / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")


def _read_bytes(path: Path) -> bytes:
    try:
        size_bytes = path.stat().st_size
        if size_bytes > MAX_BYTES:
            raise WeightsError(
                f"{path}: {size_bytes} bytes, at most {MAX_BYTES} are read; is it a weights file?"
            )
        return path.read_bytes()
    except OSError as error:
        raise WeightsError(f"{path}: {error.strerror}; check the path and its permissions") from error


def _check_sum(path: Path, sha256: str) -> None:
    expected = _sums().get(path.stem)
    if expected != sha256:
        raise WeightsError(
            f"{path}: SHA-256 is {sha256}, SHA256SUMS says {expected or 'nothing'}; "
            f"the file is damaged or was changed: install crackpipe again"
        )


def _sums() -> dict[str, str]:
    """Names of the embedded files, without suffix -> their SHA-256."""
    sums = FOLDER / "SHA256SUMS"
    lines = sums.read_text(encoding="utf-8").splitlines() if sums.is_file() else []
    return {Path(name).stem: digest for digest, _, name in (line.partition("  ") for line in lines)}

"""Writes new values into a crackpipe.toml and keeps everything else in it as a person wrote it."""

import os
import re
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path

from crackpipe.pipeline.errors import ConfigurationError, OutputNotWritableError


def check_folder(file: Path) -> None:
    """Raise OutputNotWritableError if `file` cannot be made.

    This is asked before minutes of work are done.
    """
    folder = file.resolve().parent
    if not (folder.is_dir() and os.access(folder, os.W_OK)):
        raise OutputNotWritableError(f"{folder} is no folder that can be written. Name another --out.")


def write_values(file: Path, values: Mapping[str, float]) -> None:
    """Set top-level keys of a TOML file, and keep its order and comments. The file is made if it is missing.

    The file is replaced as a whole, so that a reader never sees half of it. Raises ConfigurationError if it
    is no TOML or cannot be changed safely, OutputNotWritableError if it cannot be written.
    """
    file = file.resolve()  # the file behind a link is replaced, so that the link stays
    before = ""
    if file.exists():
        try:
            before = file.read_bytes().decode("utf-8")  # bytes, so that line ends stay as they are
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{file} cannot be read: {error}. Correct the file.") from error
    after = with_values(before, values, str(file))
    try:
        _replace(file, after)
    except OSError as error:
        raise OutputNotWritableError(
            f"{file} cannot be written: {error.strerror}. Name another file with --out."
        ) from error


def with_values(text: str, values: Mapping[str, float], name: str = "the text") -> str:
    """TOML `text` with top-level keys set to numbers. Raises ConfigurationError, naming the file `name`."""
    old = _parsed(text, name)
    ending = "\r\n" if "\r\n" in text else "\n"
    lines = text.splitlines(keepends=True)
    first_table = next((k for k, line in enumerate(lines) if line.lstrip().startswith("[")), len(lines))
    head, tail = "".join(lines[:first_table]), "".join(lines[first_table:])
    for key, value in values.items():
        setting = re.compile(rf"^([ \t]*{re.escape(key)}[ \t]*=[ \t]*)[^\s#]+", re.MULTILINE)
        if key in old:
            head = setting.sub(rf"\g<1>{value!r}", head, count=1)
        else:
            head += ending if head and not head.endswith("\n") else ""
            head += f"{key} = {value!r}{ending}"
    if _parsed(head + tail, name) != {**old, **values}:
        wanted = ", ".join(f"{key} = {value!r}" for key, value in values.items())
        raise ConfigurationError(f"{name} cannot be changed safely. Write into it by hand: {wanted}")
    return head + tail


def _parsed(text: str, name: str) -> dict[str, object]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{name} cannot be read as TOML: {error}. Correct the file.") from error


def _replace(file: Path, text: str) -> None:
    handle, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(handle, "wb") as target:
            target.write(text.encode("utf-8"))
            target.flush()
            os.fsync(target.fileno())
        # `mkstemp` makes files that only their owner may read, so set the usual permissions.
        Path(temporary).chmod(file.stat().st_mode & 0o777 if file.exists() else 0o666 & ~_umask())
        Path(temporary).replace(file)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask

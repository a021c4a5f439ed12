"""JSON files that carry a digest of their own content: a flipped bit reads as "not done", not as a value."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from crackpipe.pipeline.storage.durable import replace_file

_SEAL = "sealed"


def digest(value: Any) -> str:
    """Short stable hash of any JSON value."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=True)
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


def write_json(path: Path, value: Any, indent: int | None = 1) -> None:
    """Replace a JSON file atomically and durably. Large files go ten times as fast with indent None."""
    staged = path.with_name(f"{path.name}.staged")
    staged.write_text(json.dumps(value, sort_keys=True, indent=indent) + "\n", encoding="utf-8")
    replace_file(staged, path)


def read_json(path: Path) -> Any | None:
    """The value in a JSON file, or None if it is missing or damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, UnicodeDecodeError, json.JSONDecodeError):
        return None


def write_sealed(path: Path, value: Mapping[str, Any], indent: int | None = 1) -> None:
    """Replace a JSON object with a hash of itself in it, atomically and durably; `indent` as `write_json`."""
    write_json(path, {**value, _SEAL: digest(value)}, indent)


def read_sealed(path: Path) -> dict[str, Any] | None:
    """A sealed JSON object, or None if it is missing or any of its bytes was changed."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        value = json.loads(content)
    except (UnicodeDecodeError, json.JSONDecodeError):
        return None
    if not isinstance(value, dict):
        return None
    seal = value.pop(_SEAL, None)
    return value if seal == digest(value) else None

"""Small text files as editors of all systems write them."""

from pathlib import Path

from crackpipe.pipeline.storage import reading

_UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")


def decoded(content: bytes, errors: str = "strict") -> str:
    """Decode UTF-8 with or without a byte order mark, or UTF-16 with one. Raises UnicodeDecodeError."""
    return content.decode("utf-16" if content.startswith(_UTF_16_MARKS) else "utf-8-sig", errors)


def read_text(path: Path, limit_bytes: int, errors: str = "strict") -> str:
    """Read a small text file. Raises OSError, ValueError where it is larger or no text.

    `errors` as in `bytes.decode`.
    """
    with reading.opened(path) as file:
        content = file.read(limit_bytes + 1)
    if len(content) > limit_bytes:
        raise ValueError(f"{path.name} has more than {limit_bytes} bytes")
    return decoded(content, errors)

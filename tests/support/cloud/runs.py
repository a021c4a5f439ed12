"""Runs on surveys in object storage, and all that they left."""

from pathlib import Path

from crackpipe.pipeline.publish import Summary
from crackpipe.pipeline.request import asked
from crackpipe.pipeline.run import run


def run_cloud(out: Path, *sources: str, **options: object) -> Summary:
    return run(asked(sources, {"out": out, "serial": True, **options}))


def all_text(out: Path) -> bytes:
    """Everything that a run left."""
    return b"".join(file.read_bytes() for file in out.rglob("*") if file.is_file())

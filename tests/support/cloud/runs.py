"""Runs on surveys in object storage, and what they published."""

import hashlib
from pathlib import Path

from crackpipe.pipeline.publish import Summary
from crackpipe.pipeline.request import asked
from crackpipe.pipeline.run import run


def run_cloud(out: Path, *sources: str, **options: object) -> Summary:
    return run(asked(sources, {"out": out, "serial": True, **options}))


def published(out: Path) -> dict[str, str]:
    """Hashes of the tables and of all masks."""
    files = [out / "cracks.parquet", out / "images.parquet", *(out / "masks.zarr").rglob("*")]
    return {
        file.relative_to(out).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in files
        if file.is_file()
    }


def all_text(out: Path) -> bytes:
    """Everything that a run left."""
    return b"".join(file.read_bytes() for file in out.rglob("*") if file.is_file())

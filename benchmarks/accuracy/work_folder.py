"""A benchmark's WORK folder, which keeps trainings for the next call with the same options."""

import json
from pathlib import Path
from typing import Any

import click


def keep_options(work: Path, options: dict[str, Any]) -> None:
    """Note in `work` what it is made with. Raises UsageError if it was made with something else."""
    note = work / "options.json"
    now = json.loads(json.dumps(options, default=lambda path: str(path.resolve())))
    if not work.exists() or not any(work.iterdir()):
        work.mkdir(parents=True, exist_ok=True)
        note.write_text(json.dumps(now, indent=1) + "\n", encoding="utf-8")
        return
    was = json.loads(note.read_text(encoding="utf-8")) if note.exists() else {}
    other = [
        f"{name} {was.get(name, 'not noted')}" for name in {**now, **was} if was.get(name) != now.get(name)
    ]
    if other:
        raise click.UsageError(
            f"{work} was made with other options ({', '.join(other)}): give those, or another WORK"
        )

"""How far a run has come, read from the output folder alone: works beside a live run."""

from collections.abc import Iterator
from pathlib import Path

from crackpipe.pipeline.errors import UsageError
from crackpipe.pipeline.publish import quarantine_line
from crackpipe.pipeline.state import lock
from crackpipe.pipeline.state.markers import all_markers
from crackpipe.pipeline.state.output import Output
from crackpipe.pipeline.storage import sealed


def status_lines(out: Path) -> Iterator[str]:
    """The state of an output folder in words. Raises UsageError if it is none."""
    output = Output(out)
    if not output.hidden.is_dir():
        raise UsageError(f"{out} is no output of crackpipe run: it has no .crackpipe folder")
    markers = sorted(all_markers(output), key=lambda marker: str(marker["image_id"]))
    done = [marker for marker in markers if marker["status"] == "done"]
    quarantined = [marker for marker in markers if marker["status"] == "quarantined"]
    working = [path for path in (output.hidden / "staging").iterdir() if path.is_dir()]
    blocks = sum(1 for folder in working for _ in (folder / "blocks").glob("*-*[0-9]"))
    holder = lock.holder_of(output)
    yield f"running: {'no' if holder is None else f'yes, {holder}'}"
    yield f"images done: {len(done)}"
    yield f"images unfinished: {len(working)} ({blocks} blocks on disk)"
    record = sealed.read_json(out / "run.json")
    if record:
        yield f"tables: {record['counts']['cracks']} cracks, {record['counts']['length_m']:.1f} m"
    rejected = {str(row["image_id"]): row for row in (record or {}).get("quarantined", [])}
    rejected |= {str(marker["image_id"]): marker for marker in quarantined}
    yield f"images in quarantine: {len(rejected)}"
    for _, row in sorted(rejected.items()):
        yield f"  {quarantine_line(row)}"

"""How far a run has come, read from the output folder alone: works beside a live run."""

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import asdict
from pathlib import Path
from typing import Any

from crackpipe.pipeline.familiarity import told as familiarity
from crackpipe.pipeline.publish import quarantine_line
from crackpipe.pipeline.state import lock, removed
from crackpipe.pipeline.state.markers import all_markers
from crackpipe.pipeline.state.output import Output, output_at
from crackpipe.pipeline.state.owner import owner_of
from crackpipe.pipeline.storage import sealed

_OF_QUARANTINE = ("image_id", "reason", "message", "remedy")


def status(out: Path) -> dict[str, Any]:
    """The state of an output folder: plain JSON, which docs/use/status.schema.json describes.

    Raises UsageError if it is none, ConfigurationError if a newer version of crackpipe made it.
    """
    output = output_at(out)
    markers = sorted(all_markers(output), key=lambda marker: str(marker["image_id"]))
    working = [path for path in output.in_staging() if path.is_dir()]
    record = sealed.read_json(output.root / "run.json") or {}
    done = {str(marker["image_id"]) for marker in markers if marker["status"] == "done"}
    rejected = _rejected(output, record.get("quarantined", []), done)
    done -= rejected.keys()
    rejected |= {str(marker["image_id"]): marker for marker in markers if marker["status"] == "quarantined"}
    counts = record.get("counts")
    return {
        "output": str(output.root),
        "running": _running(output),
        "images": {
            "done": len(done),
            "unfinished": len(working),
            "quarantined": len(rejected),
        },
        "blocks_on_disk": sum(1 for folder in working for _ in (folder / "blocks").glob("*-*[0-9]")),
        "tables": counts and {name: counts[name] for name in ("cracks", "length_m")},
        "familiarity": record.get("familiarity"),
        "last_run_finished": record.get("finished"),
        "left": removed.left(output),
        "missing": removed.missing(output),
        "quarantined": [
            {name: str(row[name]) for name in _OF_QUARANTINE} for _, row in sorted(rejected.items())
        ],
    }


def _rejected(
    output: Output, rows: Iterable[Mapping[str, Any]], done: Set[str]
) -> dict[str, Mapping[str, Any]]:
    """What the last run that came to its end set aside, by image_id, without what was done since.

    An image may be rejected by its header though it was done before: its marker stays, and it is in
    quarantine all the same. One whose header has been accepted since then is done if it has a marker.
    """
    rejected = {str(row["image_id"]): row for row in rows}
    if not rejected.keys() & done:
        return rejected
    accepted = (sealed.read_sealed(output.memory) or {}).get("images", {})
    return {name: row for name, row in rejected.items() if name not in done or name not in accepted}


def _running(output: Output) -> dict[str, Any] | None:
    """The run that holds the output, or None."""
    holder = lock.holder_of(output)
    if holder is None:
        return None
    owner = owner_of(output)
    return {
        "process": holder,
        "host": owner and owner.host,
        "pid": owner and owner.pid,
    }


def status_lines(state: Mapping[str, Any]) -> Iterator[str]:
    """The same in words."""
    running, images, tables = state["running"], state["images"], state["tables"]
    yield f"running: {'no' if running is None else 'yes, ' + running['process']}"
    yield f"images done: {images['done']}"
    yield f"images unfinished: {images['unfinished']} ({state['blocks_on_disk']} blocks on disk)"
    if tables:
        yield f"tables: {tables['cracks']} cracks, {tables['length_m']:.1f} m"
    yield from familiarity.lines(state["familiarity"] or asdict(familiarity.SurveyFamiliarity()))
    if state["last_run_finished"]:
        yield f"last run that came to its end: {state['last_run_finished']}"
    if state["left"]:
        names = removed.named(state["left"])
        yield f"images finished, but no longer in survey and tables: {len(state['left'])} ({names})"
    if state["missing"]:
        names = removed.named(state["missing"])
        yield (
            f"images missing: {len(state['missing'])} ({names}); the last run did not find them and left the "
            "tables as they were"
        )
    yield f"images in quarantine: {images['quarantined']}"
    for row in state["quarantined"]:
        yield f"  {quarantine_line(row)}"

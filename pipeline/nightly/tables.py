"""The network's tables after a night, from the results of all surveys that its memory knows."""

import os
from pathlib import Path

from crackpipe.pipeline.errors import CrackpipeError, OutputDamagedError
from crackpipe.pipeline.network.parts import Part
from crackpipe.pipeline.network.publish import publish
from crackpipe.pipeline.nightly.facts.answering import Asker, SilentError
from crackpipe.pipeline.nightly.facts.memory import Memory
from crackpipe.pipeline.nightly.facts.network import Network, Source
from crackpipe.pipeline.nightly.facts.outcome import Night


def refresh(network: Network, memory: Memory, night: Night, asker: Asker) -> None:
    """Bring the tables up to date; what fails is a fault of the night.

    Then the tables stay as they were, or, where a result is damaged, what they hold of its source.
    """
    if not network.has_tables:
        return
    sources = {each.name: _parts(each, memory, night, asker) for each in network.sources}
    try:
        done = publish(network.output / "network", sources, network.crs)
    except CrackpipeError as error:
        night.faults["tables"] = (error.exit_code, str(error))
        return
    night.notes += done.notes
    for name, said in done.damaged.items():
        night.faults[f"tables of {name}"] = (OutputDamagedError.exit_code, said)
    night.tables = {
        "version": done.version,
        "changed": done.changed,
        "crs": done.crs,
        "rows": done.rows,
        "sources": {name: None if parts is None else len(parts) for name, parts in sources.items()},
    }


def _parts(source: Source, memory: Memory, night: Night, asker: Asker) -> list[Part] | None:
    """The results of a source; None where one that was there cannot be read now."""
    found = []
    for key, known in sorted(memory.surveys.items()):
        if known.source != source.name:
            continue
        out = Path(known.out)
        # `os.path` says no where the disk is gone or a folder above may not be searched
        try:
            is_there = asker.ask(source, os.path.isfile, out / "cracks.parquet")
        except SilentError:
            return None
        if is_there:
            found.append(Part(known.name, out))
        elif known.result is not None:
            night.notes.append(
                f"{out} cannot be read, so the network's tables keep what they had of source "
                f"{source.name!r}. If that result is gone for good: crackpipe nightly NETWORK --forget {key}"
            )
            return None
    return found

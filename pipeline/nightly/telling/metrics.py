"""A text file of figures for Prometheus' node exporter (`--collector.textfile.directory`).

Format: https://prometheus.io/docs/instrumenting/exposition_formats/. Units are base units: seconds, metres.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from crackpipe.pipeline.nightly.facts.memory import Memory
from crackpipe.pipeline.nightly.facts.outcome import Night
from crackpipe.pipeline.storage import durable

Sample = tuple[Mapping[str, str], float]
"""Labels and value."""


def text_of(night: Night, memory: Memory, ended_s: float) -> str:
    """All figures of a night; `ended_s` is its end, seconds since 1970."""
    return "".join(
        f"# HELP crackpipe_{name} {said}\n# TYPE crackpipe_{name} gauge\n"
        + "".join(f"crackpipe_{name}{_labels(labels)} {_number(value)}\n" for labels, value in samples)
        for name, said, samples in _families(night, memory, ended_s)
        if samples
    )


def _families(night: Night, memory: Memory, ended_s: float) -> Iterator[tuple[str, str, list[Sample]]]:
    """Name, meaning and samples of each figure."""
    yield "nightly_last_run_timestamp_seconds", "End of the last night.", [({}, ended_s)]
    success: list[Sample] = []
    if memory.last_success_s is not None:
        success.append(({}, memory.last_success_s))
    yield "nightly_last_success_timestamp_seconds", "End of the last night that ended with 0 or 3.", success
    yield "nightly_exit_code", "Exit code of the last night.", [({}, night.code)]
    yield "nightly_duration_seconds", "Length of the last night.", [({}, night.seconds)]
    yield "nightly_images_left", "Images that wait for their inspection.", [({}, night.images_left)]
    yield "nightly_images", "Images of all results by status.", _images(night)
    yield "nightly_road_meters", "Sum of the long sides of images that are done.", _road(night)
    yield (
        "nightly_source_exit_code",
        "Worst exit code of a source in the last night.",
        [({"source": name}, code) for name, code in night.code_by_source().items()],
    )


def _images(night: Night) -> list[Sample]:
    found: dict[tuple[str, str], int] = {}
    for outcome in night.outcomes.values():
        figures, source = outcome.figures, outcome.survey.source
        counts = {"left": outcome.images_left}
        if figures is not None:
            counts |= {"done": figures.images_done, "quarantined": len(figures.quarantined)}
        for status, count in counts.items():
            found[source, status] = found.get((source, status), 0) + count
    return [
        ({"source": source, "status": status}, count) for (source, status), count in sorted(found.items())
    ]


def _road(night: Night) -> list[Sample]:
    found: dict[str, float] = {}
    for outcome in night.outcomes.values():
        if outcome.figures is not None:
            source = outcome.survey.source
            found[source] = found.get(source, 0.0) + 1000 * outcome.figures.road_km
    return [({"source": source}, metres) for source, metres in sorted(found.items())]


def _labels(labels: Mapping[str, str]) -> str:
    inside = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return f"{{{inside}}}" if inside else ""


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.3f}"


def write(path: Path, text: str) -> None:
    """Replace the file as a whole, readable for all. Raises OSError."""
    staged = path.with_name(f"{path.name}.staged")  # node_exporter reads *.prom alone
    staged.write_text(text, encoding="utf-8")
    staged.chmod(0o644)
    durable.replace_file(staged, path)

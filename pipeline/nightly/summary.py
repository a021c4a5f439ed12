"""The summary of a night: lines for the terminal, Markdown for people, JSON for programs."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any

from crackpipe.pipeline.console.printable import shown
from crackpipe.pipeline.nightly.budget import hours_said
from crackpipe.pipeline.nightly.outcome import Night, Outcome

_QUIET_STATES = ("unchanged",)


def left_said(night: Night) -> str:
    """How much is left, and about how long that takes."""
    if night.images_left == 0:
        return "left: nothing"
    how_long = (
        "for how long is not known yet" if night.left_s is None else f"about {hours_said(night.left_s)}"
    )
    return f"left: {night.images_left} images, {how_long}"


def lines(night: Night) -> Iterator[str]:
    """What the command prints at the end."""
    for name, (code, said) in night.faults.items():
        yield shown(f"{name}: {code}: {said}")
    unchanged = 0
    for key, outcome in sorted(night.outcomes.items()):
        if outcome.state in _QUIET_STATES:
            unchanged += 1
            continue
        yield shown(f"{key}: {outcome.state}{_details(outcome)}")
    if unchanged:
        yield f"{unchanged} surveys unchanged"
    yield left_said(night)
    yield f"exit code {night.code}"


def _details(outcome: Outcome) -> str:
    parts = [
        f"code {outcome.code}" if outcome.code else "",
        f"{outcome.images_run} images in {hours_said(outcome.seconds)}" if outcome.images_run else "",
        f"{outcome.images_left} images left" if outcome.images_left else "",
        outcome.said,
    ]
    said = ", ".join(part for part in parts if part)
    return f" ({said})" if said else ""


# ---- JSON


def record_of(night: Night, zone: tzinfo | None, told: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """The summary as plain JSON; docs/use/nightly.schema.json describes it."""
    return {
        "began": _when(night.began_s, zone),
        "seconds": round(night.seconds, 1),
        "budget": night.budget_said,
        "exit_code": night.code,
        "images_left": night.images_left,
        "seconds_left": None if night.left_s is None else round(night.left_s),
        "surveys": [_survey(key, each) for key, each in sorted(night.outcomes.items())],
        "faults": [
            {"what": name, "exit_code": code, "message": said} for name, (code, said) in night.faults.items()
        ],
        "tables": night.tables,
        "notes": list(night.notes),
        "told": {name: list(sentences) for name, sentences in told.items()},
    }


def _when(seconds: float, zone: tzinfo | None) -> str:
    return datetime.fromtimestamp(seconds, UTC).astimezone(zone).isoformat(timespec="seconds")


def _survey(key: str, outcome: Outcome) -> dict[str, Any]:
    figures = outcome.figures
    return {
        "survey": key,
        "source": outcome.survey.source,
        "path": shown(str(outcome.survey.path)),
        "output": shown(str(outcome.survey.out)),
        "state": outcome.state,
        "exit_code": outcome.code,
        "message": outcome.said,
        "seconds": round(outcome.seconds, 1),
        "images": {
            "run": outcome.images_run,
            "left": outcome.images_left,
            "done": figures and figures.images_done,
            "quarantined": figures and len(figures.quarantined),
        },
        "road_km": figures and round(figures.road_km, 4),
        "inspected_m2": figures and round(figures.inspected_m2, 3),
        "cracks": figures and figures.cracks,
        "crack_m": figures and round(figures.crack_m, 3),
    }

"""The summary of a night: lines for the terminal, Markdown for people, JSON for programs."""

from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from typing import Any

from crackpipe.pipeline.console.printable import shown
from crackpipe.pipeline.nightly.facts.budget import hours_said
from crackpipe.pipeline.nightly.facts.outcome import Night, Outcome
from crackpipe.pipeline.nightly.telling.alarms import News

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
    aside = len(outcome.figures.quarantined) if outcome.figures else 0
    parts = [
        f"code {outcome.code}" if outcome.code else "",
        f"{outcome.images_run} images in {hours_said(outcome.seconds)}" if outcome.images_run else "",
        f"{outcome.images_left} images left" if outcome.images_left else "",
        f"{aside} in quarantine" if aside else "",
        outcome.said,
    ]
    said = ", ".join(part for part in parts if part)
    return f" ({said})" if said else ""


# ---- Markdown


def markdown(night: Night, zone: tzinfo | None, told: News) -> str:
    """The summary for people: first what is new, then all surveys on which something was done."""
    parts = [f"# Crack maps of the night from {_when(night.began_s, zone)}", _first_line(night)]
    for title, sentences in (("New", told.new), ("Over", told.over), ("Notes", tuple(night.notes))):
        if sentences:
            parts.append(f"## {title}\n\n" + "\n".join(f"- {_plain(each)}" for each in sentences))
    worked = {key: each for key, each in sorted(night.outcomes.items()) if each.state not in _QUIET_STATES}
    if worked:
        rows = [_row(key, each) for key, each in worked.items()]
        head = "| survey | state | code | images tonight | left | done | in quarantine | road km | cracks m |"
        parts.append("\n".join(["## Surveys", "", head, "|---|---|--:|--:|--:|--:|--:|--:|--:|", *rows]))
    unchanged = len(night.outcomes) - len(worked)
    if unchanged:
        parts.append(f"{unchanged} surveys unchanged.")
    if night.tables is not None:
        counts = ", ".join(
            f"{count} {name.replace('_', ' ')}" for name, count in night.tables["rows"].items()
        )
        parts.append(f"The network's tables hold {counts} (version {night.tables['version']}).")
    return "\n\n".join(parts) + "\n"


def _first_line(night: Night) -> str:
    return f"Exit code {night.code}; {left_said(night)}; {hours_said(night.seconds)} at work."


def _row(key: str, outcome: Outcome) -> str:
    figures = outcome.figures
    known = ["", "", "", ""]
    if figures is not None:
        counts = [f"{figures.images_done}", f"{len(figures.quarantined)}"]
        known = [*counts, f"{figures.road_km:.2f}", f"{figures.crack_m:.1f}"]
    code = "" if outcome.code is None else str(outcome.code)
    numbers = [str(outcome.images_run), str(outcome.images_left), *known]
    return "| " + " | ".join([_plain(key), outcome.state, code, *numbers]) + " |"


def _plain(text: str) -> str:
    """Text on one line in which Markdown finds no cell, link or HTML."""
    return "".join(f"\\{letter}" if letter in "\\|<>[]`*_" else letter for letter in shown(text))


# ---- JSON


def record_of(night: Night, zone: tzinfo | None, told: News) -> dict[str, Any]:
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
        "told": {"new": list(told.new), "over": list(told.over)},
    }


def _when(seconds: float, zone: tzinfo | None) -> str:
    return datetime.fromtimestamp(seconds, UTC).astimezone(zone).isoformat(timespec="seconds")


def _survey(key: str, outcome: Outcome) -> dict[str, Any]:
    figures = outcome.figures
    return {
        "survey": key,
        "source": outcome.survey.source,
        "path": shown(outcome.survey.place),
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

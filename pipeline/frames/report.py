"""What a person is told after `crackpipe frames`."""

from collections import Counter

from crackpipe.pipeline.frames.deliver import Delivery
from crackpipe.pipeline.frames.quality import text

_SHOWN = 3


def lines_of(made: Delivery) -> list[str]:
    """The closing lines: what was placed, what was not, and what nobody said."""
    faults, unit = made.positions.faults, made.positions.unit
    lines = [
        f"{len(made.rows)} frames in {made.survey}, {made.written} of them new or changed.",
        *text.lines_of(made.quality),
    ]
    reasons = Counter(each.reason for each in made.aside)
    for reason, count in sorted(reasons.items()):
        first = next(each for each in made.aside if each.reason == reason)
        lines.append(
            f"{count} frames set aside, {reason}: {first.name}: {first.said}. {first.remedy} "
            f"All are in {made.survey / 'frames.csv'}."
        )
    for fault in faults[:_SHOWN]:
        lines.append(f"Positions, {unit} {fault.line}: {fault.said}.")
    if len(faults) > _SHOWN:
        lines.append(f"Positions: {len(faults) - _SHOWN} more {unit}s that cannot be read.")
    if made.unused:
        lines.append(f"{len(made.unused)} positions without a frame, the first in {unit} {made.unused[0]}.")
    lines += [f"Note: {note}." for note in made.notes]
    assumed = [each.what for each in made.assumptions if each.source == "assumed"]
    if assumed:
        lines.append(f"Assumed, since camera.toml does not say it: {', '.join(assumed)} (survey.toml).")
    return lines

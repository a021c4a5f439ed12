"""What a person is told after `crackpipe frames`."""

from crackpipe.pipeline.frames.deliver import Delivery
from crackpipe.pipeline.frames.quality import text


def lines_of(made: Delivery) -> list[str]:
    """The closing lines: what was placed, what was not, and what nobody said."""
    lines = [
        f"{len(made.rows)} frames in {made.survey}, {made.written} of them new or changed.",
        *text.lines_of(made.quality),
        *text.left_over(made.aside, made.positions, made.unused),
    ]
    lines += [f"Note: {note}." for note in made.notes]
    assumed = [each.what for each in made.assumptions if each.source == "assumed"]
    if assumed:
        lines.append(f"Assumed, since camera.toml does not say it: {', '.join(assumed)} (survey.toml).")
    return lines

"""What a night did: one outcome for each survey, one exit code for all."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from crackpipe.pipeline.errors import OutputDamagedError
from crackpipe.pipeline.nightly.facts.listing import Survey
from crackpipe.pipeline.storage import sealed

WORST_FIRST = (70, 73, 74, 71, 69, 78, 66, 3, 0)
"""Exit codes of surveys and sources in the order in which one of them becomes the night's."""

HELD = 75
TOLD_TO_END = 143
"""Of a night that got SIGTERM: 128 and the number of that signal."""


def worst_of(codes: Iterable[int]) -> int:
    """The exit code of a night: the worst; 75 only if all were held by others, 0 if there was nothing."""
    codes = list(codes)
    told = [code for code in codes if code != HELD]
    if not told:
        return HELD if codes else 0
    return min(told, key=WORST_FIRST.index)


@dataclass(frozen=True)
class Figures:
    """What the result of a survey holds."""

    images_done: int = 0
    quarantined: tuple[dict[str, str], ...] = ()
    """image_id, reason, message and remedy of each."""
    cracks: int = 0
    crack_m: float = 0.0
    road_km: float = 0.0
    """Of images that were inspected: the sum of their long sides."""
    inspected_m2: float = 0.0


def figures_of(out: Path) -> Figures | None:
    """Read from a result's `run.json` and `images.parquet`; None where there are none.

    Raises OutputDamagedError.
    """
    columns = ["status", "width_px", "height_px", "inspected_m2", "uninspected_m2"]
    try:
        record = sealed.read_json(out / "run.json")
        if record is None or not (out / "images.parquet").exists():
            return None
        images = pq.read_table(out / "images.parquet", columns=columns)
    except (OSError, pa.ArrowException) as error:
        raise OutputDamagedError(
            f"{out} cannot be read: {error}. `crackpipe verify {out} --repair` and the next night make it "
            "right."
        ) from error
    done = images.filter(pc.equal(images["status"], "done"))
    # not gsd_mm: of a plan view that is the worst the camera saw, not the side of its pixels
    area_m2 = pc.add(done["inspected_m2"], done["uninspected_m2"])
    longest, shortest = (
        pc.cast(pick(done["width_px"], done["height_px"]), "float64")
        for pick in (pc.max_element_wise, pc.min_element_wise)
    )
    sides_m = pc.sqrt(pc.multiply(area_m2, pc.divide(longest, shortest)))
    return Figures(
        images_done=record["counts"]["images_done"],
        quarantined=tuple(record["quarantined"]),
        cracks=record["counts"]["cracks"],
        crack_m=record["counts"]["length_m"],
        road_km=(pc.sum(sides_m).as_py() or 0.0) / 1e3,
        inspected_m2=pc.sum(done["inspected_m2"]).as_py() or 0.0,
    )


@dataclass
class Outcome:
    """What became of one survey in a night."""

    survey: Survey
    state: str
    """`done`, `unchanged`, `cut off`, `no turn`, `not complete`, `in use`, `failed`, `gone` or
    `unreachable`."""
    code: int | None = None
    """Exit code that counts for the night; None where nothing ended."""
    said: str = ""
    seconds: float = 0.0
    images_run: int = 0
    """Images that were finished in this night."""
    images_left: int = 0
    is_counted: bool = True
    """False: `images_left` is the number of its files less the images that were finished."""
    nights_held: int = 0
    """So many nights running it was in use."""
    figures: Figures | None = None


@dataclass
class Night:
    """What a night did."""

    began_s: float
    """Seconds since 1970."""
    budget_said: str = ""
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    """By the survey's key."""
    faults: dict[str, tuple[int, str]] = field(default_factory=dict)
    """Exit code and sentence of what failed beside surveys: `source NAME`, `memory`, `tables`,
    `tables of NAME`."""
    seconds: float = 0.0
    left_s: float | None = None
    """How long what is left will take; None where that is not known."""
    tables: dict[str, Any] | None = None
    """What the network's tables hold now; None where they are not made."""
    ended: str = ""
    """A sentence where the night was told to end before it was done."""
    notes: list[str] = field(default_factory=list)
    """Sentences that are worth knowing and no alarm."""

    @property
    def code(self) -> int:
        """The exit code."""
        if self.ended:
            return TOLD_TO_END
        codes = [each.code for each in self.outcomes.values() if each.code is not None]
        return worst_of([*codes, *(code for code, _ in self.faults.values())])

    @property
    def images_left(self) -> int:
        """Images that are not inspected yet, of all surveys."""
        return sum(each.images_left for each in self.outcomes.values())

    def code_by_source(self) -> dict[str, int]:
        """The worst exit code of each source."""
        codes: dict[str, list[int]] = {}
        for outcome in self.outcomes.values():
            codes.setdefault(outcome.survey.source, []).extend([] if outcome.code is None else [outcome.code])
        for name, (code, _) in self.faults.items():
            kind, _, source = name.partition(" ")
            if kind == "source":
                codes.setdefault(source, []).append(code)
        return {source: worst_of(each) for source, each in sorted(codes.items())}

"""How far a run is: the figures, their stages, and the same as one plain line."""

from collections.abc import Callable
from dataclasses import dataclass

STAGES = {
    "survey": "looking at the files of the survey",
    "start": "workers start and load the network",
    "inspecting": "the network looks at tiles",
    "tracing": "masks become lines with widths",
    "tables": "cracks are counted once where images meet",
    "exports": "files for other programs are written",
}
"""What a run does, in this order, and what a person is told of it. Where no image is to be inspected, three
are left out."""
COUNTED = ("inspecting", "tracing")
"""The stages in which tiles and images are counted. How far the others are, nobody knows before their end."""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a run is."""

    stage: str = "survey"
    """A key of `STAGES`: `survey`, `start`, `inspecting`, `tracing`, `tables` or `exports`."""
    tiles: int = 0
    """Tiles that are done, those that were left out among them."""
    tiles_total: int = 0
    images: int = 0
    """Images that are done or in quarantine in this run."""
    images_total: int = 0
    quarantined: int = 0
    """Images in quarantine, those that the survey began with among them."""
    road_km: float = 0.0
    """Sum of the long sides of the images that are done in this run."""
    tiles_per_s: float = 0.0
    """Over the last five minutes."""
    left_s: float | None = None
    """Seconds until all tiles are done at this rate; None where nobody can tell."""

    @property
    def share(self) -> float:
        """Finished share of the tiles, 0..1."""
        return self.tiles / self.tiles_total if self.tiles_total else 1.0


Tell = Callable[[Progress], None]
"""Is told how far a run is: at each stage, and after each piece of work."""


def sentence(progress: Progress) -> str:
    """One line: counts, rate, time left."""
    eta = "" if progress.left_s is None else f", {progress.left_s:.0f} s left"
    aside = f", {progress.quarantined} in quarantine" if progress.quarantined else ""
    return (
        f"{progress.stage}: {progress.tiles}/{progress.tiles_total} tiles, "
        f"{progress.images}/{progress.images_total} images, {progress.road_km:.2f} km, "
        f"{progress.tiles_per_s:.1f} tiles/s{eta}{aside}"
    )


def sentence_so_far(progress: Progress, so_far_s: float) -> str:
    """One line for a stage that is not COUNTED: what is done there, and for how long."""
    aside = f", {progress.quarantined} in quarantine" if progress.quarantined else ""
    return f"{progress.stage}: {STAGES[progress.stage]}, {so_far_s:.0f} s so far{aside}"


def distance(km: float) -> str:
    """A length of road as a person says it: metres below one kilometre."""
    return f"{1000 * km:.0f} m" if km < 1 else f"{km:,.1f} km"

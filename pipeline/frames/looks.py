"""A camera that looks ahead and down becomes one that looks straight down on plan views."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from crackpipe.pipeline.errors import ConfigurationError
from crackpipe.pipeline.frames.files import beside
from crackpipe.pipeline.frames.files.camera import Camera, scale_of
from crackpipe.pipeline.frames.files.listing import Frame
from crackpipe.pipeline.frames.files.oblique import Oblique
from crackpipe.pipeline.frames.files.said import Assumption
from crackpipe.pipeline.frames.lanes.stand import FILE, Seen, seen_edges, stand_of
from crackpipe.pipeline.frames.oblique.decode import packed
from crackpipe.pipeline.frames.oblique.rectify import rectified
from crackpipe.pipeline.frames.oblique.view import View, view_of
from crackpipe.pipeline.frames.quality.seams import shrunk
from crackpipe.pipeline.geometry.arrays import Bools, Singles
from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.geometry.plan_view import PlanView


@dataclass(frozen=True, kw_only=True)
class Looks:
    """What frames look like that are placed."""

    camera: Camera
    """As if it looked straight down."""
    view: PlanView | None = None
    """The way from plan views to frames; None for a camera that looks straight down."""
    assumptions: list[Assumption] = field(default_factory=list)
    lanes: Seen | None = None
    """Lane edges, where height and angles are found from them."""
    notes: list[str] = field(default_factory=list)


def look_down(camera: Camera, frames: Sequence[Frame], survey: Path) -> Looks:
    """Find out how frames become plan views, if they have to. Raises ConfigurationError."""
    if camera.oblique is None:
        scale_of(camera)  # without it nothing else needs to be looked at
        return Looks(camera=camera)
    oblique, lanes = camera.oblique, None
    stand: list[Assumption] = []
    notes: list[str] = []
    if oblique.lane_edges_m is not None:
        if camera.yaw_deg:
            raise ConfigurationError(
                f"{camera.source}: with lane_edges_m it is found how far the camera is turned: leave out "
                f"yaw_deg."
            )
        lanes, note = seen_edges(frames, survey, camera.source)
        notes = [note] if note else []
        oblique, stand = stand_of(oblique, lanes, camera.source)
    size = frames[0].height_px, frames[0].width_px
    view = view_of(oblique, size, camera.source)
    # the plan view looks where the camera does, its lever arm where the vehicle does
    turn = np.radians(camera.yaw_deg)
    right_m = float(view.middle_m[0] * np.cos(turn) + view.middle_m[1] * np.sin(turn))
    ahead_m = float(view.middle_m[1] * np.cos(turn) - view.middle_m[0] * np.sin(turn))
    down = replace(
        camera,
        mm_per_px_along=view.plan.gsd_mm,
        mm_per_px_across=view.plan.gsd_mm,
        ahead_m=camera.ahead_m + ahead_m,
        right_m=camera.right_m + right_m,
        said=camera.said | {"mm_per_px_along", "mm_per_px_across", "up"},
    )
    return Looks(
        camera=down,
        view=view.view,
        assumptions=[_line(oblique, view, camera.source), *stand],
        lanes=lanes,
        notes=notes,
    )


def _line(oblique: Oblique, view: View, source: str) -> Assumption:
    if oblique.points:
        way = f"{len(oblique.points)} points"
        does = "10 % of the metres of all points change all lengths by 10 %"
    elif oblique.lane_edges_m is not None:
        way = "lane edges and focal length"
        does = "see lane_edges_m, focal_px and roll_deg"
    else:
        way = "focal length, height and angles"
        does = (
            "10 % of the height change all lengths by 10 %; 10 % of a pitch of 30 degrees change those "
            "along the "
            "road by 16 % in the middle of the picture"
        )
    value = (
        f"plan views of {view.plan.shape[1]} x {view.plan.shape[0]} px from {way}; the camera's own pixels "
        f"within "
        f"are up to {view.worst_mm:.1f} mm long"
    )
    return Assumption(what="oblique", value=value, source=source, ten_percent=does)


def read_plan_grey(view: PlanView, path: Path, shrink: int) -> tuple[Singles, Bools] | None:
    """A frame's plan view in grey, shrunk, and which pixels are inspected; None where it cannot be read."""
    from PIL import Image

    try:
        with Image.open(path, formats=("JPEG", "PNG", "TIFF")) as image:
            pixels = np.asarray(image.convert("L"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None  # writing its plan view tells what is wrong with it
    plan, known = rectified(packed(pixels[None]), view, Window(0, 0, *view.size_px))
    inside = shrunk(known.astype(np.float32), shrink) == 1
    return shrunk(plan[0].astype(np.float32), shrink), inside


def keep(looks: Looks, survey: Path) -> None:
    """Write what later calls take again: the lane edges. Raises OutputNotWritableError."""
    if looks.lanes is not None:
        beside.write_text(survey / FILE, looks.lanes.text())

"""Routes from the images' own positions: the vehicle's track, where there is no centreline.

Strategy: the images of a folder are taken in the natural order of their names (2 before 10), as
`tables.travel` does. The track runs through the middles of frames, and from end to end of strips. It breaks
where the next image is farther away than two image lengths. It also breaks where the way turns by more than
60 degrees from one step to the next, as it does when a vehicle comes back in the next lane. The measure is
ground length from the first image of the folder on. Tiles that were cut from one raster in both directions
make no track, nor does a single image that is no strip.
"""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import PurePosixPath

import numpy as np
from pyproj import CRS

from crackpipe.pipeline.errors import UsageError
from crackpipe.pipeline.geometry.arrays import Floats
from crackpipe.pipeline.sections.routes import chain
from crackpipe.pipeline.sections.routes.chain import Routes
from crackpipe.pipeline.tables import travel
from crackpipe.pipeline.tables.overlaps.plane import Frame, east_north

_LONGEST_STEP = 2.0  # of the image's longer side
_LEAST_STEP = 0.05  # of the image's shorter side; below, the vehicle stood still
_SHARPEST_TURN_COS = np.cos(np.radians(60.0))


def routes_of(image_ids: Sequence[str], frames: Sequence[Frame], crs: CRS) -> Routes:
    """The tracks of N images, one route a folder, named as the folder (`track` where there is none).

    Raises UsageError if no images make a track.
    """
    folders: dict[str, list[int]] = {}
    for index, image_id in enumerate(image_ids):
        folders.setdefault(PurePosixPath(image_id).parent.as_posix(), []).append(index)
    routes, without = Routes(), []
    for folder in sorted(folders):
        members = sorted(folders[folder], key=lambda at: (travel.natural_key(image_ids[at]), image_ids[at]))
        some = [frames[at] for at in members]
        runs = [] if travel.is_mosaic(some) else _runs(some)
        lines = [_line([some[at] for at in run]) for run in runs]
        # images that stood still belong to the run that they stand in
        reaches = pairwise([*(run[0] for run in runs), len(some)])
        tracked = {
            at for reach, line in zip(reaches, lines, strict=True) if line is not None for at in range(*reach)
        }
        without += [image_ids[member] for at, member in enumerate(members) if at not in tracked]
        name = "track" if folder == "." else folder
        found = chain.in_order(name, [line for line in lines if line is not None], crs)
        routes.parts += found.parts
        routes.notes += chain.told(name, found)
    if not routes.parts:
        raise UsageError(
            "the images make no track: each stands alone, or they are tiles of one raster. Give the lines of "
            "the roads with --centreline."
        )
    tracks, drives = len(routes.parts), len({part.route_id for part in routes.parts})
    routes.notes.append(
        "without --centreline the measure runs along the vehicle's track, in the order of the images' names: "
        f"{tracks} track{'' if tracks == 1 else 's'} of {drives} folder{'' if drives == 1 else 's'}."
    )
    if without:
        routes.notes.append(
            f"{len(without)} image{' makes' if len(without) == 1 else 's make'} no track, such as "
            f"{without[0]}: alone, or tiles of one raster. "
            "Their cracks count only if they lie beside another track."
        )
    return routes


def _runs(frames: Sequence[Frame]) -> list[list[int]]:
    """Indices of images that follow each other without a break."""
    centres = np.array([frame.corners.mean(axis=0) for frame in frames])
    runs, before = [[0]], None
    for index in range(1, len(frames)):
        # From the last image that moved: of frames that overlap by over 95 %, each would else stand still.
        last = runs[-1][-1]
        step = east_north(frames[last]) @ (centres[index] - centres[last])
        sides = [_sides_m(frames[at]) for at in (last, index)]
        length = float(np.hypot(*step))
        if length < _LEAST_STEP * min(min(each) for each in sides):
            continue  # the vehicle stood still: the next image adds nothing
        turned = before is not None and step @ before < _SHARPEST_TURN_COS * length * np.hypot(*before)
        if turned or length > _LONGEST_STEP * max(max(each) for each in sides):
            runs.append([index])
            before = None
        else:
            runs[-1].append(index)
            before = step
    return runs


def _sides_m(frame: Frame) -> tuple[float, float]:
    height, width = np.hypot(*frame.ground) * [frame.height_px, frame.width_px]
    return float(height), float(width)


def _line(frames: Sequence[Frame]) -> Floats | None:
    """The track (V, 2) (x, y) through images that follow each other; None for one image that is no strip."""
    centres = np.array([frame.corners.mean(axis=0) for frame in frames])
    ways = [_long_axis(frame) for frame in frames]
    if len(frames) == 1:
        return None if ways[0] is None else np.array([centres[0] - ways[0], centres[0] + ways[0]])
    steps = np.diff(centres, axis=0)
    points = []
    for index, (centre, way) in enumerate(zip(centres, ways, strict=True)):
        step = steps[min(index, len(steps) - 1)]
        half = _half(frames[index], step) if way is None else way * np.sign(way @ step)
        if way is not None or index == 0:
            points.append(centre - half)
        if way is None:
            points.append(centre)
        if index == len(frames) - 1:
            points.append(centre + half)
    line = np.array(points)
    apart = [True, *(bool((one != other).any()) for one, other in pairwise(line))]
    return line[apart]


def _long_axis(frame: Frame) -> Floats | None:
    """Half of the long axis of a strip, from its first towards its last row or column; None for a frame."""
    if travel.strip_azimuth_deg(frame.ground, frame.height_px, frame.width_px) is None:
        return None
    first, right, _, down = frame.corners
    height, width = _sides_m(frame)
    return np.asarray((down - first) / 2 if height > width else (right - first) / 2)


def _half(frame: Frame, step: Floats) -> Floats:
    """From the middle of a frame to its border along the way of a step."""
    way = step / np.hypot(*step)
    reach = np.abs((frame.corners - frame.corners.mean(axis=0)) @ way)
    return np.asarray(way * reach.mean())

"""Which way the vehicle went at each image.

The direction is what `survey.toml` says, else the long axis of a strip, else the way from one image to the
next.

Strategy for the last: images of a folder are sorted in the natural order of their names (2 before 10). A step
to the next image counts if it is at most twice as long as the image. An image that is hardly farther on than
the last one that moved stands with it; the step to the next that moves begins there. The direction at an
image is that of the steps next to it, if the further steps around agree. They are asked because a vehicle
that comes back in the next lane makes one step aside, which is no direction of travel. Tiles that were cut
from one raster in both directions get no direction, because their order tells how the raster was cut and not
how the vehicle went.
"""

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

import numpy as np

from crackpipe.pipeline.geometry.arrays import Bools, Floats
from crackpipe.pipeline.tables.overlaps.plane import Frame, east_north

# Strips at least this many times as long as wide were taken along the road.
_STRIP_ASPECT = 2.0
# A step is at most this many times the image's longer side.
_LONGEST_STEP = 2.0
# A step is at least this share of the image's shorter side, from the last image that moved. If it is less,
# the vehicle stood still.
_SHORTEST_STEP = 0.05
# So many steps on each side of an image are looked at, and they may differ by this angle.
_STEPS_AROUND = 2
_AGREE_DEG = 30.0


def travel_deg(
    image_ids: Sequence[str], frames: Sequence[Frame], given_deg: Sequence[float | None]
) -> list[float | None]:
    """Direction of travel at each image, degrees clockwise from north on the ground, 0 <= angle < 180.

    None means that it is unknown. `given_deg` is what `survey.toml` says, or None if it says nothing.
    """
    found = [
        strip_azimuth_deg(frame.ground, frame.height_px, frame.width_px) if given is None else given % 180.0
        for frame, given in zip(frames, given_deg, strict=True)
    ]
    folders: dict[PurePosixPath, list[int]] = {}
    for index, image_id in enumerate(image_ids):
        folders.setdefault(PurePosixPath(image_id).parent, []).append(index)
    for members in folders.values():
        if all(found[index] is not None for index in members):
            continue
        members.sort(key=lambda index: (natural_key(image_ids[index]), image_ids[index]))
        directions = sequence_azimuths_deg([frames[index] for index in members])
        for index, direction in zip(members, directions, strict=True):
            found[index] = direction if found[index] is None else found[index]
    return found


def strip_azimuth_deg(ground: Floats, height_px: int, width_px: int) -> float | None:
    """Direction of the road from a strip's long axis, clockwise from north, 0 <= angle < 180.

    `ground` is float64 (2, 2), metres per pixel step. None if the image is no strip, that is if its long side
    is less than twice its short side.
    """
    sides = ground * np.array([height_px, width_px])
    length = np.hypot(sides[0], sides[1])
    longer = int(np.argmax(length))
    if length[longer] < _STRIP_ASPECT * length[1 - longer]:
        return None
    return float(np.degrees(np.arctan2(sides[0, longer], sides[1, longer])) % 180.0)


def natural_key(name: str) -> tuple[tuple[int, str], ...]:
    """A key that sorts names by the numbers in them, so that `a2.tif` comes before `a10.tif`."""
    parts = re.split(r"([0-9]+)", name)
    return tuple((int(part), "") if index % 2 else (0, part) for index, part in enumerate(parts))


def sequence_azimuths_deg(frames: Sequence[Frame]) -> list[float | None]:
    """Direction of travel at each of the images of one folder, in the order in which they were taken."""
    if len(frames) < 2 or is_mosaic(frames):
        return [None] * len(frames)
    sides = np.array([np.hypot(*frame.ground) * [frame.height_px, frame.width_px] for frame in frames])
    nodes, ways = _moving(frames, _SHORTEST_STEP * sides.min(axis=1))
    steps = np.array(ways).reshape(-1, 2)
    longest = sides[nodes].max(axis=1)
    gap = np.hypot(steps[:, 0], steps[:, 1]) > _LONGEST_STEP * np.maximum(longest[:-1], longest[1:])
    azimuth = np.degrees(np.arctan2(steps[:, 0], steps[:, 1])) % 180.0
    found = []
    for node in (np.searchsorted(nodes, np.arange(len(frames)), side="right") - 1).tolist():
        before = _steps(range(node - 1, -1, -1), gap)
        after = _steps(range(node, len(steps)), gap)
        found.append(_common_deg(azimuth[before].tolist(), azimuth[after].tolist()))
    return found


def _moving(frames: Sequence[Frame], least_m: Floats) -> tuple[list[int], list[Floats]]:
    """Indices of the images that moved on from the last of them, and the steps between, (east, north) in m.

    `least_m` (N,) is the least step from each image. It is measured from the last image that moved: of frames
    that overlap by over 95 %, each would else seem to stand still.
    """
    centres = np.array([frame.corners.mean(axis=0) for frame in frames])
    nodes, steps = [0], []
    for index in range(1, len(frames)):
        last = nodes[-1]
        step = east_north(frames[last]) @ (centres[index] - centres[last])
        if np.hypot(*step) >= least_m[last]:
            nodes.append(index)
            steps.append(step)
    return nodes, steps


def _steps(indices: range, gap: Bools) -> list[int]:
    """Indices of the next steps in one direction, nearest first, up to a gap."""
    found: list[int] = []
    for index in indices:
        if gap[index] or len(found) == _STEPS_AROUND:
            break
        found.append(index)
    return found


def _common_deg(before: list[float], after: list[float]) -> float | None:
    """The direction at an image from the steps before and after it; None if they do not agree.

    Both lists hold directions in degrees, nearest step first. Strategy: the step that differs least from all
    others stands for them. Steps that agree with it count, and the result is the mean of the two steps next
    to the image, as far as they count. Angles are doubled for the mean, because 0 and 180 degrees are one
    direction.
    """
    steps = [*before, *after]
    if not steps:
        return None
    apart = np.array([[_apart_deg(one, other) for other in steps] for one in steps])
    middle = int(apart.sum(axis=1).argmin())
    agree = apart[middle] <= _AGREE_DEG
    if len(steps) > 1 and np.count_nonzero(agree) == 1:
        return None
    beside = [steps[index] for index in (0, len(before)) if index < len(steps) and agree[index]]
    doubled = np.radians(2 * np.array(beside or [steps[middle]]))
    mean = np.degrees(np.arctan2(np.sin(doubled).sum(), np.cos(doubled).sum())) / 2
    return float(mean % 180.0)


def _apart_deg(one: float, other: float) -> float:
    between = abs(one - other) % 180.0
    return min(between, 180.0 - between)


def is_mosaic(frames: Sequence[Frame]) -> bool:
    """Whether images continue each other's pixels both along rows and along columns."""
    origin, to_pixels = frames[0].corners[0], np.linalg.inv(_pixel_steps(frames[0]))
    places: dict[tuple[int, int], Frame] = {}
    for frame in frames:
        if np.allclose(to_pixels @ _pixel_steps(frame), np.eye(2), atol=1e-4):
            row, col = np.rint(to_pixels @ (frame.corners[0] - origin)).astype(int).tolist()
            places[row, col] = frame
    return any(
        _has_near(places, row + frame.height_px, col) and _has_near(places, row, col + frame.width_px)
        for (row, col), frame in places.items()
    )


def _pixel_steps(frame: Frame) -> Floats:
    """Steps in world (x, y) for one pixel along (row, col), (2, 2): each step is a column."""
    first, right, _, down = frame.corners
    return np.column_stack([(down - first) / frame.height_px, (right - first) / frame.width_px])


def _has_near(places: dict[tuple[int, int], Frame], row: int, col: int) -> bool:
    """Whether an image begins at this place or within rounding of it."""
    return any((row + down, col + right) in places for down in (-1, 0, 1) for right in (-1, 0, 1))

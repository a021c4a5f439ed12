"""Which position belongs to which frame, by the names of frames."""

import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from crackpipe.pipeline.errors import UsageError
from crackpipe.pipeline.frames.files.listing import Frame
from crackpipe.pipeline.frames.files.said import SetAside
from crackpipe.pipeline.frames.positions.table import Positions
from crackpipe.pipeline.survey.sidecars.names import key

_ANY = "/"
"""Stands for every folder; none is called so."""
_CORRECT = "Correct the file of positions and run the same command again."


@dataclass(frozen=True, kw_only=True)
class Joined:
    """Frames with the number of the position of each, and what is left over on both sides."""

    pairs: list[tuple[Frame, int]]
    """In the order of the frames."""
    aside: list[SetAside]
    unused: list[int]
    """Numbers of positions that no frame has."""


def join_by_name(frames: list[Frame], positions: Positions) -> Joined:
    """Give each frame the position that names it, by as much of its path as both have.

    Letters of both cases are the same, `\\` is `/`, and where no name fits, names are compared without their
    suffix. A name with the folder of a frame is of that frame alone. Raises UsageError where not one frame
    has a position.
    """
    if positions.names is None:
        raise UsageError(f"{positions.source} names no frames, so it cannot be joined by name")
    found = [_parts(name) for name in positions.names]
    wanted = [_parts(frame.name) for frame in frames]
    told = _folders_told(found, wanted)
    by_name, by_stem = _index(found, told, str), _index(found, told, _stem)
    pairs: list[tuple[Frame, int]] = []
    aside: list[SetAside] = []
    used: set[int] = set()
    for frame, parts in zip(frames, wanted, strict=True):
        last, stem = parts[-1], _stem(parts[-1])
        ways = [
            each.get((folder, name), [])
            for folder in (_folder(parts), _ANY)
            for each, name in ((by_name, last), (by_stem, stem))
        ]
        fitting = _longest(parts, next(filter(None, ways), []), found)
        used.update(fitting)
        fault = _fault(frame.name, fitting, positions)
        if fault is None:
            pairs.append((frame, fitting[0]))
        else:
            aside.append(fault)
    pairs, clashes = _each_once(pairs, positions)
    if not pairs:
        raise UsageError(
            f"not one of {len(frames)} frames has a position in {positions.source}. A frame is named "
            f"{frames[0].name!r}, {positions.unit} {positions.lines[0]} names {positions.names[0]!r}. "
            + (f"{aside[0].said}. " if aside else "")
            + "Say with --columns filename=NAME which column holds the names."
        )
    unused = [number for number in range(len(positions)) if number not in used]
    return Joined(pairs=pairs, aside=[*aside, *clashes], unused=unused)


def _parts(name: str) -> list[str]:
    return [part for part in re.split(r"[/\\]+", key(name.strip())) if part not in {"", ".", ".."}]


def _stem(last: str) -> str:
    return last.rpartition(".")[0] or last


def _folder(parts: list[str]) -> str:
    return parts[-2] if len(parts) > 1 else ""


def _folders_told(found: list[list[str]], wanted: list[list[str]]) -> set[str]:
    """The folders of frames (`wanted`), if a name found names a frame with its folder; else none.

    Where not one does, folders may be those of another machine and say nothing.
    """
    ours = {(_folder(parts), _stem(parts[-1])) for parts in wanted if len(parts) > 1}
    theirs = {(_folder(parts), _stem(parts[-1])) for parts in found if parts}
    return set() if ours.isdisjoint(theirs) else {folder for folder, _ in ours}


def _index(
    found: list[list[str]], told: set[str], short: Callable[[str], str]
) -> dict[tuple[str, str], list[int]]:
    """Numbers of the names found by their folder and last part, and by `_ANY` and last part where they may
    mean a frame of any folder.
    """
    # folders belong to the keys, since 200 of them may hold the same 500 names
    index: dict[tuple[str, str], list[int]] = defaultdict(list)
    for number, parts in enumerate(found):
        if not parts:
            continue
        folder, last = _folder(parts), short(parts[-1])
        index[folder, last].append(number)
        if not folder or not told:
            index[_ANY, last].append(number)
        elif folder not in told:
            # a frame that lies in no folder may have had one on another machine
            index["", last].append(number)
    return index


def _longest(parts: list[str], fitting: list[int], found: list[list[str]]) -> list[int]:
    """Of the positions whose last part fits, those that agree with the path in most folders."""

    def agreeing(number: int) -> int:
        above = zip(reversed(parts[:-1]), reversed(found[number][:-1]), strict=False)
        return next(
            (count for count, (a, b) in enumerate(above) if a != b), min(len(parts), len(found[number]))
        )

    if len(fitting) < 2:
        return fitting
    most = max(map(agreeing, fitting))
    return [number for number in fitting if agreeing(number) == most]


def _fault(name: str, fitting: list[int], positions: Positions) -> SetAside | None:
    if not fitting:
        said = f"{positions.source} does not name it"
        return SetAside(name=name, reason="no-position", said=said, remedy=_CORRECT)
    unit, lines = positions.unit, [positions.lines[number] for number in fitting]
    places = positions.xy[fitting]
    if fitting[0] in positions.absent:
        return positions.absent[fitting[0]]
    if not np.isfinite(places).all():
        said = f"{positions.source}, {unit} {lines[0]}: there is no position (empty, 0 and 0, or -1 and -1)"
        return SetAside(name=name, reason="no-position", said=said, remedy=_CORRECT)
    if len(fitting) > 1 and np.ptp(places, axis=0).max() > 0:
        said = f"{positions.source} names it in {unit}s {lines[0]} and {lines[1]} with different positions"
        return SetAside(name=name, reason="two-positions", said=said, remedy=_CORRECT)
    return None


def _each_once(
    pairs: list[tuple[Frame, int]], positions: Positions
) -> tuple[list[tuple[Frame, int]], list[SetAside]]:
    """Take positions away that several frames have, since at most one of these was taken there."""
    owners = defaultdict(list)
    for frame, number in pairs:
        owners[number].append(frame.name)
    kept = [(frame, number) for frame, number in pairs if len(owners[number]) == 1]
    clashes = [
        SetAside(
            name=frame.name,
            reason="name-twice",
            said=f"{positions.source}, {positions.unit} {positions.lines[number]} could mean "
            f"{owners[number][0]!r} and {owners[number][1]!r}",
            remedy="Name the frames with their folders in the file of positions, or run on one folder.",
        )
        for frame, number in pairs
        if len(owners[number]) > 1
    ]
    return kept, clashes

"""Folders of free sets in, folders of prepared sets out.

Photographs that are kept from training (`pairs.is_validation`) keep their labels as delivered: what judges a
training was not made by it. So the split and the figures of a prepared set are those of the delivered one.
"""

import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from crackpipe.model.data.pairs import NOT_LABELLED_GREY, is_validation, list_pairs, photograph_of
from crackpipe.model.data.pictures import check_grey, open_mask, open_rgb
from crackpipe.model.data.plane import Plan, warp_image, warp_labels
from crackpipe.model.data.prepare.figures import PictureFigures, compare
from crackpipe.model.data.prepare.lane import plan_views
from crackpipe.model.data.prepare.ridges import grey_of
from crackpipe.model.data.prepare.sets import PLAN_SETS, STEPS, TIGHT_STEPS
from crackpipe.model.data.prepare.tight import CRACK_GREY

Rgb = NDArray[np.uint8]
Labels = NDArray[np.uint8]


@dataclass(frozen=True)
class _Work:
    """One picture to be prepared."""

    set_name: str
    image: Path
    mask: Path
    tight: bool
    """Whether labels that lie on their cracks shrink to dark cores too."""
    plan: Plan | None = None
    """Where this is given, the picture is also written as plan view."""


@dataclass(frozen=True)
class _Done:
    """Figures of one picture, and of its plan view."""

    figures: PictureFigures
    of_plan: PictureFigures | None


_Map = Callable[[Callable[[_Work], _Done], Iterable[_Work]], Iterable[_Done]]


def prepare(
    data: Path, out: Path, processes: int = 1, *, tight: bool = False
) -> dict[str, Sequence[PictureFigures]]:
    """Prepare the free sets under `data` into `out`, each a folder of its own name, some as plan view too.

    Other sets of `data` are left out. With `tight`, labels of DNIT and SUT-Crack shrink to dark cores too.
    Every set is written whole or not at all. Returns the figures of every picture by set, also of those that
    keep their labels as delivered. Raises FileNotFoundError if `data` holds no free set, FileExistsError if a
    set is there already, ValueError if a file cannot be read or a mask does not fit its image.
    """
    listed = [_Work(*each, tight) for each in list_pairs([data]) if each[0] in STEPS]
    if not listed:
        raise FileNotFoundError(f"{data} holds none of the free sets: one of {', '.join(STEPS)} is needed")
    names = sorted({work.set_name for work in listed})
    for name in [*names, *(PLAN_SETS[name] for name in names if name in PLAN_SETS)]:
        if (out / name).exists():
            raise FileExistsError(f"{out / name} is there: remove it, or write to another folder")
    figures: dict[str, Sequence[PictureFigures]] = {}
    with _hands(processes) as each_of:
        for name in names:
            done = _prepare_set(each_of, out, name, [work for work in listed if work.set_name == name])
            figures[name] = [each.figures for each in done]
            if name in PLAN_SETS:
                figures[PLAN_SETS[name]] = [each.of_plan for each in done if each.of_plan is not None]
    return figures


@contextmanager
def _hands(processes: int) -> Iterator[_Map]:
    """What does the work: `map` of this process, or that of several."""
    if processes == 1:
        yield map
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        yield partial(pool.map, chunksize=4)


def _prepare_set(each_of: _Map, out: Path, name: str, work: Sequence[_Work]) -> list[_Done]:
    """Write one set, and its plan view where it has one, under names that are given when all is written."""
    folders = {set_name: out / f".{set_name}.partial" for set_name in (name, PLAN_SETS.get(name, name))}
    try:
        for folder in folders.values():
            shutil.rmtree(folder, ignore_errors=True)
            for inside in ("images", "masks"):
                (folder / inside).mkdir(parents=True)
        if name in PLAN_SETS:
            work = _with_plans(work)
        done = list(each_of(partial(_prepare_picture, folders), work))
        for set_name, folder in folders.items():
            folder.rename(out / set_name)
    finally:  # what has its name is no longer there
        for folder in folders.values():
            shutil.rmtree(folder, ignore_errors=True)
    return done


def _with_plans(work: Sequence[_Work]) -> list[_Work]:
    """Every picture that trains gets the plan view of its road section; the others judge as they are."""
    section = {
        each: photograph_of(each.set_name, each.image.stem)
        for each in work
        if not is_validation(each.set_name, each.image.stem)
    }
    sections = {name: [each.mask for each in section if section[each] == name] for name in section.values()}
    views = plan_views(sections)
    return [replace(each, plan=views[section[each]]) if each in section else each for each in work]


def _prepare_picture(folders: dict[str, Path], work: _Work) -> _Done:
    """Write image and mask of one picture, and say what the step did to its labels."""
    image = open_rgb(work.image)
    grey, before = grey_of(image), read_mask(work.mask)
    if before.shape != grey.shape:
        raise ValueError(
            f"{work.mask} is {before.shape[1]}x{before.shape[0]} px but {work.image} is "
            f"{grey.shape[1]}x{grey.shape[0]} px: make them one size"
        )
    after = (TIGHT_STEPS if work.tight else STEPS)[work.set_name](grey, before)
    folder = folders[work.set_name]
    judges = is_validation(work.set_name, work.image.stem)
    shutil.copyfile(work.image, folder / "images" / work.image.name)
    Image.fromarray(before if judges else after).save(folder / "masks" / work.mask.name)
    of_plan = None
    if work.plan is not None:
        names = folders[PLAN_SETS[work.set_name]], work.image.stem
        of_plan = _write_plan(*names, work.plan, image, masks=(before, after))
    return _Done(compare(grey, before, after), of_plan)


def _write_plan(
    folder: Path, stem: str, plan: Plan, image: Rgb, *, masks: tuple[Labels, Labels]
) -> PictureFigures:
    """Write the plan view of a picture and of its prepared mask. `masks` are before and after."""
    seen = warp_image(image, plan, mirrored=True)
    was, now = (warp_labels(mask, plan, NOT_LABELLED_GREY) for mask in masks)
    Image.fromarray(seen).save(folder / "images" / f"{stem}.jpg", quality=92, subsampling=0)
    Image.fromarray(now).save(folder / "masks" / f"{stem}.png")
    return compare(grey_of(seen), was, now)


def read_mask(path: Path) -> Labels:
    """A mask file as uint8 (H, W) of 0, 127 and 255; of soft edges, grey goes to the nearer of 0 and 255.

    Raises ValueError as `open_mask` and `check_grey` do.
    """
    mask = open_mask(path)
    check_grey(mask, path, NOT_LABELLED_GREY)
    hard = np.where(mask >= 128, np.uint8(CRACK_GREY), np.uint8(0))
    hard[mask == NOT_LABELLED_GREY] = NOT_LABELLED_GREY
    return hard

"""Everything a training needs to go on after a kill, in one file that is whole or absent, and whose it is."""

import errno
import fcntl
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

import torch
from torch import Tensor, nn

from crackpipe.model.data.credits import seen_by
from crackpipe.model.data.pairs import list_pairs
from crackpipe.model.train.config import TrainConfig
from crackpipe.model.weights.files import UNPICKLING_ERRORS
from crackpipe.model.weights.folder import name_of
from crackpipe.model.weights.kinds import KNOWN
from crackpipe.model.weights.read import load

LOCK = "lock"
"""The file by which a process holds the folder; its process id is in it."""

_ASKED = ("rate", "weight_decay")
"""What `schedule.parameter_groups` takes from the configuration."""


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where the tensors of a checkpoint come from: what their licence follows from."""

    architecture: str
    classes: tuple[str, ...]
    kinds: tuple[str, ...] | None = None
    """Those of `classes`; None: an older version did not note them."""
    init: str | None
    """The weights they started from, as given; None: without."""
    init_sha256: str | None
    """`Weights.network_sha256` of these; None also if it was not noted."""
    seen: frozenset[str]
    """All sets that they have seen in any part of the training, with those of `init` and of teachers."""


@dataclass(kw_only=True)
class Progress:
    """How far a training is. Tile numbers and torch's random draws follow from it and from the seed."""

    step: int = 0
    """Optimiser steps done."""
    tiles: int = 0
    """Tiles seen by all processes together."""
    active_s: float = 0.0
    """Time spent training, without pauses of the whole process."""
    validations: int = 0
    """Validations done."""
    best: float = -1.0
    """The best mean IoU of a validation, 0..1; below 0 before the first."""
    since_best: int = 0
    """Validations after the best one, none of which was better."""
    since_halved: int = 0
    """The same, but counted from the last halving of the learning rate where that came later."""
    halvings: int = 0
    """How often the learning rate was halved."""


class Ema:
    """Exponential moving average of a network's parameters and batch-norm statistics.

    The average forgets over about 1 / (1 - decay) steps. At the start it forgets faster, because the old
    weights are still random.
    """

    def __init__(self, average: nn.Module, decay: float) -> None:
        """`average` is another network of the same architecture and values; it becomes the average."""
        self.average = average.eval()
        self._decay = decay
        for parameter in self.average.parameters():
            parameter.requires_grad_(False)

    @torch.no_grad()
    def update(self, net: nn.Module, step: int) -> None:
        """Take one step towards `net`; `step` counts from 1."""
        decay = min(self._decay, (1 + step) / (10 + step))
        ours, theirs = self.average.state_dict(), net.state_dict()
        moving = [name for name, tensor in ours.items() if tensor.is_floating_point()]
        torch._foreach_lerp_([ours[n] for n in moving], [theirs[n] for n in moving], 1 - decay)
        for name, tensor in ours.items():
            if not tensor.is_floating_point():  # batch norm's step counter
                tensor.copy_(theirs[name])


def check_folder(config: TrainConfig) -> None:
    """Raise FileExistsError if `config.folder` holds a training that was not asked for, or other files.

    A person removes the folder of a training that is over, and with it all that is in it.
    """
    folder = config.folder
    if config.checkpoint.exists():
        if not config.resume:
            raise FileExistsError(f"{config.checkpoint} is there: resume that training or remove {folder}")
    elif (
        folder.exists() and not config.values.exists() and any(path.name != LOCK for path in folder.iterdir())
    ):
        raise FileExistsError(
            f"{folder} holds other files than those of a training, which needs a folder of the name of --out "
            "for itself: give another --out"
        )


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold `folder`, which is made, for this process: two trainings would replace each other's files.

    The kernel frees it however the process ends. Raises FileExistsError if another process holds it. A file
    system without locks grants everything.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise FileExistsError(
                f"{folder}: a training is writing there (process {file.read().strip() or 'unknown'}): "
                "wait for its end, stop it, or give another --out"
            ) from None
        except OSError as error:
            if error.errno not in {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL}:
                raise
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def origin_of(config: TrainConfig) -> Origin:
    """Where the tensors of a training come from; of a resumed one, with all that its checkpoint has seen.

    Sets that were taken out of the data since then count too. Raises ValueError if the checkpoint is of
    another architecture, other classes or another start than the configuration says, or is damaged.
    """
    sets = {set_name for set_name, _, _ in list_pairs(config.folders)}
    today = Origin(
        architecture=config.architecture,
        classes=config.classes,
        kinds=config.kinds,
        init=None if config.init is None else str(config.init),
        init_sha256=None if config.init is None else load(config.init).network_sha256,
        seen=frozenset(sets | seen_by(config.init) | seen_by(config.teacher)),
    )
    if not (config.resume and config.checkpoint.exists()):
        return today
    stored = read(config.checkpoint).get("origin")
    if stored is None:
        print(
            f"{config.checkpoint}: an older version wrote it, which did not note its sets. Licence and data "
            "of the weights follow from the sets and the --init of this command alone: name all it has seen.",
            file=sys.stderr,
            flush=True,
        )
        return today
    before = _read_back(stored)
    _check_same(before, today, config)
    return replace(today, seen=today.seen | before.seen)


def _check_same(before: Origin, today: Origin, config: TrainConfig) -> None:
    """Raise ValueError where a checkpoint is not of the training that is to go on from it."""
    pairs = {"architecture": (before.architecture, today.architecture)}
    if before.classes != today.classes or before.kinds not in {None, today.kinds}:
        pairs["classes"] = _typed(before), _typed(today)
    for name, (was, wanted) in pairs.items():
        if was != wanted:
            _refuse(config, f"{name} {was}", f"{name} {wanted}", f"give --{name} {was}")
    # The same weights may lie in another place, and others may lie under the same name.
    not_noted = before.init is not None and before.init_sha256 is None
    same = before.init == today.init if not_noted else before.init_sha256 == today.init_sha256
    if same:
        return
    was, remedy = f"init {before.init or 'none'}", "leave --init out"
    if before.init is not None:
        remedy = f"give --init {_name_today(before, today)}"
    other = " of today, which are other weights" if before.init == today.init else ""
    _refuse(config, was, f"init {today.init or 'none'}{other}", remedy)


def _refuse(config: TrainConfig, was: str, wanted: str, remedy: str) -> NoReturn:
    raise ValueError(
        f"{config.checkpoint}: a training with {was} cannot go on with {wanted}: {remedy}, or start anew "
        "with another --out"
    )


def _typed(origin: Origin) -> str:
    """Classes as --classes takes them; an older version did not note what kind they are."""
    kinds = origin.kinds or [KNOWN.get(name, "KIND") for name in origin.classes]
    return ",".join(f"{name}:{kind}" for name, kind in zip(origin.classes, kinds, strict=True))


def _name_today(before: Origin, today: Origin) -> str:
    """The name or file under which the weights that a training started from are found today."""
    embedded = name_of(before.init_sha256) if before.init_sha256 else None
    if embedded is not None:
        return embedded
    return str(before.init) if before.init != today.init else f"a copy of {before.init} as it was then"


def write(  # noqa: PLR0917
    path: Path,
    net: nn.Module,
    ema: Ema,
    optimizer: torch.optim.Optimizer,
    progress: Progress,
    origin: Origin,
) -> None:
    """Replace the checkpoint. A kill at any instant leaves the old one or the new one."""
    state = {
        "net": net.state_dict(),
        "ema": ema.average.state_dict(),
        "optimizer": optimizer.state_dict(),
        "progress": vars(progress),
        "origin": _stored(origin),
    }
    _replace(path, state)


def write_average(path: Path, ema: Ema, progress: Progress, origin: Origin) -> None:
    """Replace a file of the moving average alone, enough to export but not to go on from."""
    state = {"ema": ema.average.state_dict(), "progress": vars(progress), "origin": _stored(origin)}
    _replace(path, state)


def _stored(origin: Origin) -> dict[str, Any]:
    """Plain lists and texts, which a reader of tensors takes."""
    plain = {"classes": list(origin.classes), "kinds": list(origin.kinds or ()), "seen": sorted(origin.seen)}
    return vars(origin) | plain


def _read_back(stored: Mapping[str, Any]) -> Origin:
    """What `_stored` made; older versions did not note everything."""
    known = {"init_sha256": None, **stored, "classes": tuple(stored["classes"])}
    return Origin(
        **known | {"kinds": tuple(stored.get("kinds", ())) or None, "seen": frozenset(stored["seen"])}
    )


def _replace(path: Path, state: Mapping[str, Any]) -> None:
    staging = path.with_name(path.name + ".partial")
    with staging.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    staging.replace(path)


def read(path: Path) -> Mapping[str, Any]:
    """The dictionary that `write` stored, on the CPU; nothing in it can run code.

    Raises ValueError if the file is damaged.
    """
    remedy = f"remove {path} and start the training anew, or put a whole copy in its place"
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except UNPICKLING_ERRORS as error:
        raise ValueError(f"{path} is damaged ({type(error).__name__}): {remedy}") from error
    if not (isinstance(state, dict) and {"ema", "progress"} <= state.keys()):
        raise ValueError(f"{path} is no checkpoint of a training: {remedy}")
    return state


def restore(path: Path, net: nn.Module, ema: Ema, optimizer: torch.optim.Optimizer) -> Progress:
    """Put a checkpoint back in place. Raises ValueError if it is damaged or of another network.

    Rates and decay of the optimiser stay as they were asked for today; the checkpoint has those of before.
    """
    state = read(path)
    asked = [{key: group[key] for key in _ASKED if key in group} for group in optimizer.param_groups]
    try:
        net.load_state_dict(state["net"])
        ema.average.load_state_dict(state["ema"])
        optimizer.load_state_dict(state["optimizer"])  # raises ValueError for other groups
    except (RuntimeError, ValueError, KeyError) as error:
        said = str(error).partition("\n")[0]
        raise ValueError(
            f"{path} is of another network than the one to be trained ({said}): give --architecture, "
            "--classes and --init as it was begun with, or start anew with another --out"
        ) from error
    for group, values in zip(optimizer.param_groups, asked, strict=True):
        group.update(values)
    return Progress(**state["progress"])


def averaged_weights(path: Path) -> dict[str, Tensor]:
    """The moving average alone, as a state dict."""
    weights: dict[str, Tensor] = read(path)["ema"]
    return weights

"""What the command line asked for, and the job that all workers share."""

import os
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crackpipe import __version__
from crackpipe.pipeline.cluster import gpus, scheduler
from crackpipe.pipeline.config import Config, checked, resolve
from crackpipe.pipeline.console.log import log
from crackpipe.pipeline.errors import ConfigurationError, UsageError
from crackpipe.pipeline.masks.values import level_of
from crackpipe.pipeline.state import output
from crackpipe.pipeline.tasks.job import Job

if TYPE_CHECKING:
    from crackpipe.model.predict.resolve import Facts


@dataclass(frozen=True)
class Request:
    """What the command line asked for."""

    sources: tuple[Path, ...]
    """Folders, files and manifests; of a survey in object storage the folder that mirrors it."""
    out: Path
    config: Config
    serial: bool = False
    """Everything in this thread, for debugging."""
    restart: bool = False
    """Forget what earlier runs finished."""
    accept_removed: bool = False
    """Make the tables without finished images that are not found any more, however many."""
    remote: Mapping[Path, str] = field(default_factory=dict, repr=False)
    """By source: the SURVEY in object storage as it was given, which may hold a signature."""

    @property
    def places(self) -> list[str]:
        """Where the sources lie, for people and records, without secrets."""
        from crackpipe.pipeline.storage.cloud.survey import shown

        return [shown(self.remote[each]) if each in self.remote else str(each) for each in self.sources]

    @property
    def mirrors(self) -> Path:
        """The folder of all mirrors. It lies in the output, which workers see too."""
        return _mirrors(self.out)

    def mirrored_in(self, below: Path) -> "Request":
        """The same request with its mirrors in another folder."""
        from crackpipe.pipeline.storage.cloud.survey import folder_of

        moved = {source: folder_of(text, below) for source, text in self.remote.items()}
        sources = tuple(moved.get(source, source) for source in self.sources)
        return replace(self, sources=sources, remote={moved[at]: text for at, text in self.remote.items()})


FLAGS = ("serial", "restart", "accept_removed")
"""Options that are no key of the configuration: they are for one run only."""


def configured(options: Mapping[str, Any], config_file: Path | None = None) -> Config:
    """The configuration that options ask for: option > environment > file > default.

    `options` has keys of `Config`, None where an option is not given; `FLAGS` are passed over. Without
    `config_file`, `crackpipe.toml` in the working folder is taken if it is there. Raises ConfigurationError
    for an unknown key or a wrong value.
    """
    given = {
        name: checked(name, os.fspath(value) if isinstance(value, os.PathLike) else value, "options")
        for name, value in options.items()
        if value is not None and name not in FLAGS
    }
    return resolve(given, config_file or _file_here())


def _file_here() -> Path | None:
    """`crackpipe.toml` in the working folder, which this user may not be allowed to enter.

    So it is with `runuser` where root is in a folder of its own.
    """
    file = Path("crackpipe.toml")
    try:
        return file if file.is_file() else None
    except PermissionError:
        return None


def asked(
    survey: Sequence[str | Path], options: Mapping[str, Any], config_file: Path | None = None
) -> Request:
    """The request of `crackpipe run` and of `crackpipe.run` in Python, so that both mean the same.

    `options` has keys of `Config` and `FLAGS`; None means not given. Raises ConfigurationError, and
    UsageError where it is not clear where the result goes.
    """
    from crackpipe.pipeline.storage.cloud.survey import folder_of, is_remote, shown

    config = configured(options, config_file)
    given = [os.fspath(each) for each in survey]
    remote = [each for each in given if is_remote(each)]
    if remote and not config.out:
        raise UsageError(f"{shown(remote[0])} needs --out DIR, a folder of this machine for the result.")
    out = Path(config.out) if config.out else _beside([Path(each) for each in given])
    at = {each: folder_of(each, _mirrors(out)) for each in remote}
    return Request(
        sources=tuple(at[each] if each in at else _absolute(Path(each)) for each in given),
        out=out,
        config=config,
        remote={folder: each for each, folder in at.items()},
        **{name: bool(options.get(name)) for name in FLAGS},
    )


def _mirrors(out: Path) -> Path:
    return output.Output(out.absolute()).hidden / "cloud"


def _beside(survey: Sequence[Path]) -> Path:
    if len(survey) != 1:
        raise UsageError("several SURVEY arguments need --out DIR, the folder for the common result")
    path = _absolute(survey[0])
    if not path.name:
        raise UsageError(f"{survey[0]} has no name to call the result by: give --out DIR, the folder for it")
    return path.with_name(f"{path.name if path.is_dir() else path.stem}-cracks")


def _absolute(path: Path) -> Path:
    """An absolute path without `..`, whose last part is the name that the survey has.

    What stands before a `..` is resolved, since the system follows a link before it goes up. Links behind it
    stay: a survey is called by the name of its link.
    """
    path = path.absolute()
    ups = [place for place, part in enumerate(path.parts) if part == ".."]
    if not ups:
        return path
    behind = ups[-1] + 1
    # not `Path.resolve`, which raises where links form a circle
    return Path(os.path.realpath(Path(*path.parts[:behind])), *path.parts[behind:])


def make_job(request: Request) -> Job:
    """Resolve weights, device and precision once, for all workers.

    Raises ConfigurationError, UsageError, and SchedulerLostError where workers elsewhere must be asked.
    """
    output.Output(request.out.absolute()).refuse_newer()
    return job_of(request)


def job_of(request: Request) -> Job:
    """The same without a look at the output, which need not be a folder that may be read.

    `Job.config` says how many GPUs work, also where the request leaves it to `device`.
    """
    from crackpipe.model.predict import resolve
    from crackpipe.model.weights import folder
    from crackpipe.model.weights.metadata import WeightsError

    config = request.config
    made = output.Output(request.out.absolute())
    if config.gpus and not _is_elsewhere(request):
        gpus.check_gpus(config.gpus)
    try:
        loaded = resolve.facts_of(config.weights)
    except WeightsError as error:
        raise ConfigurationError(str(error)) from error
    device, precision = _device_and_precision(request)
    threshold = config.threshold if config.threshold is not None else loaded.threshold
    job = Job(
        config=_with_gpus(request, device),
        output=made,
        run=uuid.uuid4().hex,
        # An absolute path, since workers may have another working folder. A name wins over a file, as in
        # `weights.load`.
        weights=loaded.name if loaded.path.parent == folder.FOLDER else str(loaded.path.absolute()),
        weights_sha256=loaded.sha256,
        network_sha256=loaded.network_sha256,
        statistics=loaded.statistics,
        sureness=loaded.sureness,
        weights_name=loaded.name,
        architecture=loaded.architecture,
        device=device,
        precision=precision,
        threshold=level_of(threshold),
        classes=tuple(loaded.classes),
        kinds=loaded.kinds,
        training_gsd_mm=loaded.training_gsd_mm,
        gsd_range_mm=loaded.gsd_range_mm,
        coarse_shift=loaded.coarse_shift,
        screen=_screen_limit(config.screen, loaded),
        contrast=loaded.contrast_c0,
    )
    if notice := folder.notice_of(config.weights):
        log.warning(notice)
    log.info(
        f"crackpipe {__version__}: {loaded.architecture}, weights {loaded.name} ({loaded.sha256[:12]}), "
        f"{_where(job, request)}, {precision}, threshold {threshold:.3f}"
    )
    return job


def _with_gpus(request: Request, device: str) -> Config:
    """The configuration with one GPU where `device` found it and nobody said how many processes work.

    Otherwise each core would have a process, all of them with a context and a network on the same GPU.
    """
    config = request.config
    if device == "cpu" or config.gpus or config.workers or config.scheduler or request.serial:
        return config
    return replace(config, gpus=1)


def _where(job: Job, request: Request) -> str:
    """The device, for the log."""
    if job.config.gpus == request.config.gpus:
        return job.device
    return f"{job.device} (one GPU; --gpus N takes more)"


def _screen_limit(recall: float | None, weights: "Facts") -> float | None:
    """The limit of the weights for that recall, or for the next higher one; None without a screen."""
    from crackpipe.model.weights.screen import REMEDY

    if recall is None:
        return None
    if weights.screen is None:
        raise ConfigurationError(
            f"screen is {recall}, but weights {weights.name} hold no limits for it: take `--weights lite`, "
            f"{REMEDY}"
        )
    found = weights.screen.at_least(recall)
    if found is None:
        known = ", ".join(f"{each:g}" for each, _ in weights.screen.limits)
        raise ConfigurationError(
            f"screen is {recall}, but weights {weights.name} hold limits for {known} only: "
            f"take one of these, or leave --screen out, which keeps everything"
        )
    if found[0] != recall:
        log.info(f"--screen {recall:g}: the weights hold no limit for it, that for {found[0]:g} is taken")
    return found[1]


def _is_elsewhere(request: Request) -> bool:
    """Whether workers compute that others started, perhaps on other kinds of machines than this one."""
    return bool(request.config.scheduler) and not request.serial


def _device_and_precision(request: Request) -> tuple[str, str]:
    """Resolved where the network will run."""
    from crackpipe.model.predict import resolve
    from crackpipe.model.predict.device import DeviceError

    config = request.config
    asked_for = "cuda" if config.gpus else config.device, config.precision
    if config.scheduler and _is_elsewhere(request):
        return scheduler.device_and_precision(config.scheduler, *asked_for)
    try:
        return resolve.device_and_precision(*asked_for)
    except DeviceError as error:
        raise UsageError(str(error)) from error

"""What this machine has, what is missing, and how to get it."""

import importlib
import platform
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from crackpipe import __version__
from crackpipe.pipeline.cluster import limits
from crackpipe.pipeline.config import Config
from crackpipe.pipeline.request import Request, job_of
from crackpipe.pipeline.tasks.need import need_of

_LIBRARIES = ("torch", "torchvision", "timm", "dask", "distributed", "zarr", "rasterio", "pyproj", "shapely")
_LIBRARIES_TABLES = ("geopandas", "pyarrow", "scikit-image", "scipy", "numpy", "safetensors")
_DISK_WANTED_GIB = 10.0
_FILES_WANTED = 100_000


@dataclass(frozen=True)
class Finding:
    """One thing looked at."""

    name: str
    value: str | None
    """In words; None where it is missing."""
    sound: bool = True
    remedy: str = ""
    figures: Mapping[str, float | None] = field(default_factory=dict)
    """The numbers in `value`, with units in their names; None where unknown."""


def examine() -> list[Finding]:
    """Look at everything a run needs. Takes a few seconds (imports torch)."""
    return [
        Finding("crackpipe", __version__),
        _python(),
        *(_library(name) for name in (*_LIBRARIES, *_LIBRARIES_TABLES)),
        *_raster_library(),
        *_devices(),
        *_machine(),
        _weights(),
    ]


def _python() -> Finding:
    sound = sys.version_info >= (3, 11)
    return Finding(
        "Python", platform.python_version(), sound, "" if sound else "Install Python 3.11 to 3.13."
    )


def _library(name: str) -> Finding:
    try:
        return Finding(name, metadata.version(name))
    except metadata.PackageNotFoundError:
        return Finding(name, None, False, f"pip install {name}, or reinstall crackpipe.")


def _raster_library() -> Iterator[Finding]:
    rasterio = importlib.import_module("rasterio")
    drivers = importlib.import_module("rasterio.drivers").raster_driver_extensions()
    missing = sorted({"GTiff", "JPEG", "PNG"} - set(drivers.values()))
    remedy = "This build of GDAL lacks a driver: pip install --force-reinstall rasterio." if missing else ""
    yield Finding(
        "GDAL",
        f"{rasterio.__gdal_version__}, missing: {', '.join(missing) or 'nothing'}",
        not missing,
        remedy,
    )


def _devices() -> Iterator[Finding]:
    try:
        import torch
    except ImportError as error:
        yield _without_torch("network runs on", error)
        return

    if not torch.cuda.is_available():
        built = torch.version.cuda
        why = "this torch is a CPU build" if built is None else "torch has CUDA, but no device answers"
        yield Finding("CUDA devices", f"none ({why}); runs use the CPU")
    else:
        for index in range(torch.cuda.device_count()):
            free, total = torch.cuda.mem_get_info(index)
            name = torch.cuda.get_device_name(index)
            yield Finding(
                f"CUDA device {index}",
                f"{name}, {free / 2**30:.0f} of {total / 2**30:.0f} GiB free",
                figures={"free_gib": _gib(free), "total_gib": _gib(total)},
            )
    from crackpipe.model.predict.predictor import resolve_device, resolve_precision

    device = resolve_device("auto")
    yield Finding("network runs on", f"{device}, {resolve_precision(device, 'auto')}")


def _machine() -> Iterator[Finding]:
    cores = limits.cores()
    yield Finding(
        "cores",
        f"{cores.usable:g} of {cores.machine} cores{cores.by and f' ({cores.by})'}",
        figures={"usable": cores.usable, "present": cores.machine},
    )
    yield from _memory()
    yield from _disk(Path.cwd())


def _disk(here: Path) -> Iterator[Finding]:
    """Space in the working folder. `runuser` starts in root's own, which its user may not enter."""
    try:
        space = limits.disk(here)
    except PermissionError:
        said = f"unknown, since this user may not enter {here}; start in the folder of the results"
        yield Finding("disk here", said, figures={"free_gib": None})
        return
    enough = space.free / 2**30 >= _DISK_WANTED_GIB
    remedy = "" if enough else "Masks take about 0.1 GiB per gigapixel of road; free some space or use --out."
    value = f"{space.free / 2**30:.0f} GiB free for this user"
    yield Finding("disk here", value, enough, remedy, {"free_gib": _gib(space.free)})
    if space.files is not None and space.files < _FILES_WANTED:
        remedy = "Each block of road takes two files: remove some files, or use --out."
        yield Finding(
            "files here", f"{space.files} more can be made", False, remedy, {"free_files": space.files}
        )


def _memory() -> Iterator[Finding]:
    """Whether a worker with the lite network fits, as `crackpipe run` projects it."""
    need, memory = need_of(job_of(Request((), Path.cwd(), Config(device="cpu")))), limits.memory()
    workers = need.workers_in(memory.free)
    by = memory.limit_by if memory.limit_by == memory.free_by else f"{memory.limit_by}; {memory.free_by}"
    remedy = (
        f"A run with one worker is projected to need {_gib(need.with_reserve(1)):.1f} GiB; free some, allow "
        f"this container more, or take smaller blocks (`block_cores = 4` in crackpipe.toml)."
    )
    yield Finding(
        "memory",
        f"{_gib(memory.free):.1f} of {_gib(memory.limit):.1f} GiB free ({by}), enough for {workers} "
        f"worker{'' if workers == 1 else 's'} with lite weights",
        workers > 0,
        "" if workers else remedy,
        {"free_gib": _gib(memory.free), "total_gib": _gib(memory.limit), "workers": workers},
    )
    for kind, most in limits.of_each_process():
        option = limits.ULIMIT[kind]
        enough = need.of_process(kind) <= most
        remedy = f"A worker reserves {_gib(need.of_process(kind)):.1f} GiB: `ulimit {option} unlimited`."
        value = f"{_gib(most):.1f} GiB for each process (ulimit {option})"
        yield Finding(kind, value, enough, "" if enough else remedy, {"limit_gib": _gib(most)})


def _gib(size_bytes: int) -> float:
    return round(size_bytes / 2**30, 3)


def _weights() -> Finding:
    from crackpipe.model.weights.metadata import WeightsError

    try:
        from crackpipe.model.weights.read import load

        loaded = load("lite")
    except ImportError as error:
        return _without_torch("weights lite", error)
    except WeightsError as error:
        return Finding("weights lite", str(error), False, "Reinstall crackpipe.")
    return Finding("weights lite", f"{loaded.architecture}, SHA-256 {loaded.sha256[:12]} checked")


def _without_torch(name: str, error: ImportError) -> Finding:
    remedy = f"{error}. {limits.why_too_short(error) or 'Install torch again.'}"
    return Finding(name, "unknown, since torch cannot be loaded", False, remedy)


def record_of(findings: list[Finding]) -> dict[str, Any]:
    """The findings as plain JSON, which docs/use/doctor.schema.json describes."""
    return {
        "sound": all(finding.sound for finding in findings),
        "findings": [{**asdict(finding), "remedy": finding.remedy or None} for finding in findings],
    }


def lines(findings: list[Finding]) -> Iterator[str]:
    """The findings as a readable table, problems last with their remedies."""
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        yield f"{'ok' if finding.sound else '!!'}  {finding.name:{width}}  {finding.value or 'missing'}"
    problems = [finding for finding in findings if not finding.sound]
    for finding in problems:
        yield f"-> {finding.name}: {finding.remedy}"
    yield "All is well." if not problems else f"{len(problems)} problem(s)."

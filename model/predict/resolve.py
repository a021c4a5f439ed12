"""What the driver must know about weights and device, found without torch wherever that is certain.

To import torch takes longer than to find out that a finished survey needs nothing. Embedded weights were
checked when they were made, so here only their SHA-256 is compared; other files are checked in full.
"""

import importlib.util
import os
import runpy
from dataclasses import dataclass
from pathlib import Path

from crackpipe.model.weights import header
from crackpipe.model.weights.folder import FOLDER, read, shown_name
from crackpipe.model.weights.metadata import Entries
from crackpipe.model.weights.screen import Screen
from crackpipe.model.weights.screen import from_entry as screen_of
from crackpipe.model.weights.statistics import digest_of, from_entry
from crackpipe.model.weights.sureness import Span

_CPU_INFO = Path("/proc/cpuinfo")


@dataclass(frozen=True, kw_only=True)
class Facts:
    """The fields of `read.Weights` that a plan depends on; they are explained there."""

    name: str
    path: Path
    sha256: str
    network_sha256: str
    statistics: str | None
    sureness: Span | None
    architecture: str
    classes: tuple[str, ...]
    kinds: tuple[str, ...]
    training_gsd_mm: float
    gsd_range_mm: tuple[float, float] | None
    threshold: float
    coarse_shift: float | None
    screen: Screen | None
    contrast_c0: float


def facts_of(name_or_path: str | os.PathLike[str]) -> Facts:
    """The facts of weights, given by a name or a path. Raises WeightsError as `read.load` does."""
    path, sha256, content = read(name_or_path)
    if path.parent != FOLDER:
        from crackpipe.model.weights.read import load

        loaded = load(name_or_path)
        return Facts(**{name: getattr(loaded, name) for name in Facts.__dataclass_fields__})
    metadata = header.metadata_of(content)
    statistics = metadata.get(header.STATISTICS)
    entry = Entries(path, metadata)
    classes = entry.names("classes")
    return Facts(
        name=shown_name(path, entry.text("name") if "name" in metadata else None),
        path=path,
        sha256=sha256,
        network_sha256=header.network_sha256(content, metadata),
        statistics=None if statistics is None else digest_of(statistics),
        sureness=None if statistics is None else from_entry(path, statistics).sureness,
        architecture=entry.text("architecture"),
        classes=classes,
        kinds=entry.kinds("kinds", len(classes)),
        training_gsd_mm=entry.number("training_gsd_mm", above=0.0, at_most=1000.0),
        gsd_range_mm=entry.gsd_range("gsd_range_mm"),
        threshold=entry.number("threshold", above=0.0, at_most=1.0),
        coarse_shift=entry.coarse_shift(header.COARSE_SHIFT),
        screen=screen_of(path, entry.mapping(header.SCREEN)) if header.SCREEN in metadata else None,
        contrast_c0=entry.number("contrast_c0", above=0.0, at_most=255.0),
    )


def device_and_precision(device: str, precision: str) -> tuple[str, str]:
    """The results of `predictor.resolve_device` and `resolve_precision`. Raises DeviceError as they do."""
    flags = _cpu_flags()
    if device == "cpu" or (device == "auto" and not _torch_knows_gpus()):
        if precision in ("fp32", "bf16"):
            return "cpu", precision
        if precision == "auto" and flags:
            return "cpu", "bf16" if {"avx512_bf16", "amx_tile"} & flags else "fp32"
    from crackpipe.model.predict import predictor

    resolved = predictor.resolve_device(device)
    return resolved, predictor.resolve_precision(resolved, precision)


def _torch_knows_gpus() -> bool:
    """Whether torch was built for any GPU; true where that cannot be told."""
    found = importlib.util.find_spec("torch")
    version = Path(found.origin).with_name("version.py") if found and found.origin else None
    if version is None or not version.is_file():
        return True
    built = runpy.run_path(str(version))
    return any(built.get(kind, "unknown") is not None for kind in ("cuda", "hip"))


def _cpu_flags() -> set[str]:
    """Instruction sets of an x86 processor under Linux; empty elsewhere."""
    if not _CPU_INFO.is_file():
        return set()
    lines = _CPU_INFO.read_text(encoding="utf-8", errors="replace").splitlines()
    return next((set(line.split(":")[1].split()) for line in lines if line.startswith("flags")), set())

"""The keywords of `crackpipe.run`, which are the options of `crackpipe run`.

The names and their meaning are those of `pipeline.config.Config`, and the flags those of `pipeline.request`.
They stand here once more only so that editors and type checkers know them; a test compares all three with the
command line.
"""

from collections.abc import Sequence
from os import PathLike
from typing import TypedDict


class RunOptions(TypedDict, total=False):
    """All keywords of `crackpipe.run`; None means not given."""

    out: str | PathLike[str] | None
    workers: int | None
    gpus: int | None
    scheduler: str | None
    staging_gb: float | None
    keep_logs: int | None
    exports: Sequence[str] | None
    parquet_compression: str | None
    region: str | PathLike[str] | None
    exclude: Sequence[str] | None
    removed_share: float | None
    weights: str | PathLike[str] | None
    device: str | None
    precision: str | None
    batch: int | None
    threads_per_worker: int | None
    screen: float | None
    coarse_look: bool | None
    threshold: float | None
    halo_px: int | None
    block_cores: int | None
    unit_tiles: int | None
    assume_crs: str | None
    assume_gsd_mm: float | None
    allow_gsd: bool | None
    gsd_min_mm: float | None
    gsd_max_mm: float | None
    collar: str | None
    white_level: int | None
    allow_place: bool | None
    tone: str | None
    verify_inputs: bool | None
    crs: str | None
    line_cap_mm: float | None
    spur_px: float | None
    spur_widths: float | None
    gap_px: float | None
    gap_angle_deg: float | None
    simplify_px: float | None
    min_length_mm: float | None
    seam_mm: float | None
    longitudinal_within_deg: float | None
    transverse_within_deg: float | None
    tiny_below_mm: float | None
    small_below_mm: float | None
    sigma_psf_px: float | None
    contrast: float | None
    contrast_sd: float | None
    width_shape_sd: float | None
    window_px: float | None
    class_run_mm: float | None
    certain_from: float | None
    serial: bool
    restart: bool
    accept_removed: bool

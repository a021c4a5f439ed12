"""Every constant a user may change, in one frozen dataclass, and where its values come from.

Precedence: option > environment (`CRACKPIPE_HALO_PX=16`) > `crackpipe.toml` > the defaults here.
"""

import dataclasses
import difflib
import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

from crackpipe.model.predict.device import PRECISION_WORDS
from crackpipe.pipeline.errors import ConfigurationError, UsageError

EXPORT_FORMATS = ("gpkg", "fgb", "geojson", "csv", "shp", "cog", "pmtiles", "stac")
"""What the result of a run can be exported to."""
# Keys that only the tables depend on. When one changes, the tables are made again from the rows of finished
# images.
FOR_TABLES = ("seam_mm", "longitudinal_within_deg", "transverse_within_deg")
# Keys that by themselves change no mask and no row. Some say who works and in what portions. Others act only
# through the georeference of an image or the weights, and these have entries of their own in the fingerprint.
# A finished image is not done again when one of these keys changes.
WITHOUT_EFFECT = frozenset(
    {
        *("out", "workers", "gpus", "scheduler", "unit_tiles"),
        *("weights", "device", "precision", "threshold", "coarse_look", "screen"),
        *("verify_inputs",),  # has an entry of its own in the fingerprint
        *("staging_gb", "keep_logs", "exports", "parquet_compression"),
        *("region", "exclude", "removed_share", "crs", "assume_crs", "assume_gsd_mm"),
        *("allow_gsd", "gsd_min_mm", "gsd_max_mm", "allow_place"),
        *FOR_TABLES,
    }
)

GONE = {"cascade": "`screen` (--screen RECALL) took its place: the share of cracks to keep, as 0.99"}
"""Keys of before -> what is there instead."""


@dataclass(frozen=True)
class Config:
    """The configuration of a run. Units are in the names."""

    # who works, and where
    out: str | None = None
    """Output folder; None puts `<survey>-cracks` beside the survey."""
    workers: int | None = None
    """Worker processes on this machine; None: one per core, or on a GPU what `gpus = 1` starts."""
    gpus: int = 0
    """Worker processes with one GPU each, whatever `device` says beside it; 0: as `device` says, and 1 where
    that is a GPU and `workers` is not given."""
    scheduler: str | None = None
    """Address of a running Dask scheduler, `tcp://HOST:PORT`."""
    staging_gb: float = 20.0
    """Most of this machine's disk, GB (10^9 bytes), that images from object storage take at a time."""
    keep_logs: int = 30
    """Logs of runs that stay in `logs/` of the output; each run removes the oldest beyond that."""

    exports: tuple[str, ...] = ("gpkg",)
    """Formats in which a run leaves its result besides the tables; `[]`: none."""
    parquet_compression: str = "zstd"
    """Of the tables: `zstd`, or `snappy` for programs that know no other (ArcGIS Pro before 3.5)."""

    # what
    region: str | None = None
    """File of polygons: only ground inside them is inspected; None inspects all."""
    exclude: tuple[str, ...] = ()
    """Files and folders that are left out: patterns of their names, or of their paths in the survey."""
    removed_share: float = 0.1
    """Where more than this share of the finished images is not found any more, the tables stay as they are,
    unless `--accept-removed` is given."""

    # network
    weights: str = "lite"
    """Name of embedded weights or path of a safetensors file."""
    device: str = "auto"
    """`auto`, `cpu` or `cuda`."""
    precision: str = "auto"
    """`auto`, `fp32` or `bf16` in torch, or `openvino-bf16` or `openvino-fp32` in OpenVINO."""
    batch: int = 8
    """Tiles per forward pass; fixed, short batches are padded."""
    threads_per_worker: int = 1
    """torch threads of one worker process on a CPU. Another number rounds sums in another way."""
    screen: float | None = None
    """Tiles that the coarse look finds sound get no close one. This is the share of the cracks' length to
    keep, such as 0.99; the weights hold the limits for it. None: off."""
    coarse_look: bool = True
    """Also look at 4 x 4 cores at a time, shrunk, for cracks too wide for the close look. Only with weights
    that say so, and where they know images so coarse."""
    threshold: float | None = None
    """Probability from which a pixel is crack; None takes the one that the weights name."""

    # cutting
    halo_px: int = 32
    """Ring of context around a core that is predicted and thrown away."""
    block_cores: int = 8
    """Cores along each side of a block (one Zarr chunk)."""
    unit_tiles: int = 256
    """Most tiles in one unit (one Dask task)."""

    # input
    assume_crs: str | None = None
    """CRS of images that name none, e.g. `EPSG:25832`."""
    assume_gsd_mm: float | None = None
    """GSD of images whose own is outside `gsd_min_mm` to `gsd_max_mm`; those within keep theirs."""
    allow_gsd: bool = False
    """Accept a GSD outside `gsd_min_mm` to `gsd_max_mm`."""
    gsd_min_mm: float = 0.25
    gsd_max_mm: float = 6.0
    collar: str = "auto"
    """`auto`: black or white collars that nothing declares are not inspected; `keep`: they are pavement."""
    white_level: int | None = None
    """Stored value that is white in 16-bit images that do not say it themselves; None: 65535, if any image of
    the camera shows values that need more than 14 bits."""
    allow_place: bool = False
    """Accept places that do not belong to the CRS or to the rest of the survey, or that many images share."""
    tone: str = "linear"
    """How grey values relate to light: `linear`, or `srgb` for images with the sRGB curve. For widths."""
    verify_inputs: bool = False
    """Know images by the SHA-256 of their content too, not by size and time alone."""
    crs: str | None = None
    """CRS of the tables; None takes the commonest of the survey."""

    # lines
    line_cap_mm: float = 150.0
    """Regions wider than this are areas (a hole, a shadow), not lines."""
    spur_px: float = 10.0
    """Spurs shorter than this, or than `spur_widths` local widths, are pruned."""
    spur_widths: float = 1.5
    gap_px: float = 30.0
    """Gaps up to this length are bridged where both ends point at each other."""
    gap_angle_deg: float = 30.0
    simplify_px: float = 0.5
    """Largest distance by which simplification may move a line."""
    min_length_mm: float = 25.0
    """Networks shorter than this in total are dropped (AASHTO R 85: a crack is at least 25 mm long)."""

    # across images
    seam_mm: float = 30.0
    """Images of one survey lie up to this far off each other on the ground; at least 3 px of either."""
    longitudinal_within_deg: float = 10.0
    """Cracks this near to the direction of travel are longitudinal."""
    transverse_within_deg: float = 10.0
    """Cracks this near to the perpendicular of the direction of travel are transverse."""

    # widths
    tiny_below_mm: float = 1.0
    small_below_mm: float = 3.0
    sigma_psf_px: float = 0.7
    """Blur of the camera (standard deviation)."""
    contrast: float | None = None
    """Darkening of a fully dark crack in grey values, as expected of each image (`crackpipe calibrate`); None
    expects what the weights say."""
    contrast_sd: float = 0.2
    """Relative spread of that contrast from crack to crack (tau of the log-normal prior)."""
    width_shape_sd: float = 0.11
    """Relative deviation of a row's width because a crack is no slot: ragged, and longer than its line."""
    window_px: float = 50.0
    """Arc length over which one width is measured."""
    class_run_mm: float = 100.0
    """A row is cut where the class changes for at least this length on both sides."""
    certain_from: float = 0.8
    """`class_uncertain` where no class reaches this probability."""

    def __post_init__(self) -> None:
        white = self.white_level
        checks = [
            (self.workers is None or self.workers >= 1, "workers", "at least 1"),
            (self.gpus >= 0, "gpus", "at least 0"),
            (self.staging_gb > 0, "staging_gb", "greater than 0"),
            (self.keep_logs >= 1, "keep_logs", "at least 1"),
            (set(self.exports) <= set(EXPORT_FORMATS), "exports", f"of {', '.join(EXPORT_FORMATS)}"),
            (self.parquet_compression in ("zstd", "snappy"), "parquet_compression", "zstd or snappy"),
            (self.device in ("auto", "cpu", "cuda"), "device", "one of auto, cpu, cuda"),
            (self.precision in PRECISION_WORDS, "precision", f"one of {', '.join(PRECISION_WORDS)}"),
            (white is None or 255 <= white <= 65535, "white_level", "from 255 to 65535"),
            (self.collar in ("auto", "keep"), "collar", "auto or keep"),
            (self.tone in ("linear", "srgb"), "tone", "linear or srgb"),
            (self.batch >= 1, "batch", "at least 1"),
            (self.threads_per_worker >= 1, "threads_per_worker", "at least 1"),
            (self.threshold is None or 0 < self.threshold <= 1, "threshold", "over 0 and at most 1"),
            (self.screen is None or 0 < self.screen < 1, "screen", "over 0 and below 1, such as 0.99"),
            (self.screen is None or self.coarse_look, "coarse_look", "true with screen, which needs it"),
            (0 <= self.removed_share <= 0.5, "removed_share", "from 0 to 0.5"),
            (0 <= self.halo_px <= 192, "halo_px", "from 0 to 192"),
            (1 <= self.block_cores <= 32, "block_cores", "from 1 to 32"),
            (self.unit_tiles >= 1, "unit_tiles", "at least 1"),
            (0 < self.gsd_min_mm < self.gsd_max_mm, "gsd_min_mm", "over 0 and below gsd_max_mm"),
            (self.assume_gsd_mm is None or self.assume_gsd_mm > 0, "assume_gsd_mm", "over 0"),
            (0 < self.tiny_below_mm < self.small_below_mm, "tiny_below_mm", "over 0, below small_below_mm"),
            (self.sigma_psf_px >= 0, "sigma_psf_px", "at least 0"),
            (self.contrast is None or self.contrast > 0, "contrast", "over 0"),
            (self.contrast_sd >= 0, "contrast_sd", "at least 0"),
            (0 <= self.width_shape_sd < 1, "width_shape_sd", "from 0 to below 1"),
            (self.window_px >= 5, "window_px", "at least 5"),
            (self.line_cap_mm > 0, "line_cap_mm", "over 0"),
            (0 <= self.gap_px <= 200, "gap_px", "from 0 to 200"),
            (0 <= self.gap_angle_deg <= 90, "gap_angle_deg", "from 0 to 90"),
            (0 <= self.seam_mm <= 1000, "seam_mm", "from 0 to 1000"),
            (0 <= self.longitudinal_within_deg <= 45, "longitudinal_within_deg", "from 0 to 45"),
            (0 <= self.transverse_within_deg <= 45, "transverse_within_deg", "from 0 to 45"),
            (0 < self.certain_from <= 1, "certain_from", "over 0 and at most 1"),
        ]
        for sound, name, limit in checks:
            if not sound:
                raise ConfigurationError(f"{name} is {getattr(self, name)!r}, but must be {limit}")


def resolve(
    options: Mapping[str, Any], file: Path | None = None, environ: Mapping[str, str] = os.environ
) -> Config:
    """Merge options (None means not given), environment and file into one `Config`.

    Raises ConfigurationError for an unreadable file, an unknown key or a value of the wrong type, UsageError
    for options that exclude each other.
    """
    given = {name: value for name, value in options.items() if value is not None}
    if given.get("device") == "cpu" and given.get("gpus"):
        raise UsageError(f"--gpus {given['gpus']} excludes --device cpu: give only one of them")
    values: dict[str, Any] = {}
    for place in ({} if file is None else _from_file(file), _from_environment(environ), given):
        if place.get("device") == "cpu":  # it also beats the GPUs of lower places
            values.pop("gpus", None)
        values.update(place)
    return Config(**values)


def _from_file(file: Path) -> dict[str, Any]:
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8-sig"))  # Windows writes a mark in front
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"{file} cannot be read as TOML: {error}. Correct the file.") from error
    return {name: checked(name, value, str(file)) for name, value in table.items()}


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    names = {f"CRACKPIPE_{name.upper()}": name for name in (*get_type_hints(Config), *GONE)}
    return {
        name: checked(name, _parsed(name, environ[variable]), variable)
        for variable, name in names.items()
        if variable in environ
    }


def _parsed(name: str, text: str) -> Any:
    if get_type_hints(Config).get(name, str) in (str, str | None):
        return text
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(
            f"CRACKPIPE_{name.upper()}={text!r} is not a value of TOML: {error}"
        ) from error


def checked(name: str, value: Any, source: str) -> Any:
    """A value for the key `name`, whole numbers made float where the key is one; `source` is for the message.

    Raises ConfigurationError for an unknown key or a value of the wrong type.
    """
    kinds = get_type_hints(Config)
    if name in GONE:
        raise ConfigurationError(f"{source}: there is no {name} any more; {GONE[name]}")
    if name not in kinds:
        near = difflib.get_close_matches(name, kinds, 1)
        meant = f" Did you mean {near[0]!r}?" if near else ""
        known = ", ".join(kinds)
        raise ConfigurationError(f"{source}: unknown key {name!r}.{meant} Known keys: {known}")
    kind = kinds[name]
    if kind in (float, float | None) and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if kind == tuple[str, ...]:
        kind, value = tuple, _texts(value)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        wanted = "list of strings" if kind is tuple else getattr(kind, "__name__", str(kind))
        raise ConfigurationError(f"{source}: {name} is {value!r}, but must be of type {wanted}")
    return value


def _texts(value: Any) -> Any:
    """A list of strings as a tuple; anything else as it is."""
    is_list = isinstance(value, list) and all(isinstance(each, str) for each in value)
    return tuple(value) if is_list else value


def as_toml(config: Config) -> str:
    """The configuration as the text of a `crackpipe.toml`; keys without a value are commented out."""
    lines = []
    for name, value in dataclasses.asdict(config).items():
        if value is None:
            lines.append(f"# {name} =")
        elif isinstance(value, str | tuple):
            # TOML has the escapes of JSON, but it also wants the delete character escaped
            lines.append(f"{name} = {json.dumps(value, ensure_ascii=False)}".replace("\x7f", "\\u007f"))
        else:
            lines.append(f"{name} = {str(value).lower() if isinstance(value, bool) else value}")
    return "\n".join(lines) + "\n"

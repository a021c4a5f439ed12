"""Small deliveries of a vehicle: frames of 40 x 30 px and a CSV, on a straight road whose places are
known."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from affine import Affine
from PIL import Image
from pyproj import CRS, Geod

from crackpipe.pipeline.frames.deliver import Delivery, make_survey
from crackpipe.pipeline.sample.files import ground_transform

HEIGHT, WIDTH = 30, 40
START = (9.94, 53.571)
HEADING = 63.0
STEP_M = 2.0
UTM = CRS.from_epsg(32632)
GEOD = Geod(ellps="WGS84")


def names_of(count: int) -> list[str]:
    return [f"{number + 1:04d}.jpg" for number in range(count)]


def write_frames(folder: Path, names: Sequence[str]) -> None:
    """JPEGs of noise, each other than the rest."""
    for name in names:
        rng = np.random.default_rng(len(name) + sum(map(ord, name)))
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 255, (HEIGHT, WIDTH), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / name)


def places(count: int, step_m: float = STEP_M) -> list[tuple[float, float]]:
    """(longitude, latitude) along a straight way from START."""
    return [GEOD.fwd(*START, HEADING, step_m * number)[:2] for number in range(count)]


def write_csv(file: Path, names: Sequence[str], header: str = "filename,latitude,longitude,heading") -> None:
    lines = [header]
    lines += [
        f"{name},{lat!r},{lon!r},{HEADING}"
        for name, (lon, lat) in zip(names, places(len(names)), strict=True)
    ]
    file.write_text("\n".join(lines) + "\n")


def deliver(folder: Path, count: int = 8, camera: str = "mm_per_px = 2.0\n") -> tuple[Path, Path, Path]:
    """Frames, CSV and camera.toml of a small delivery."""
    frames, csv, toml = folder / "frames", folder / "positions.csv", folder / "camera.toml"
    write_frames(frames, names_of(count))
    write_csv(csv, names_of(count))
    toml.write_text(camera)
    return frames, csv, toml


def true_transform(number: int, *, heading: float = HEADING, ahead_m: float = 0.0) -> Affine:
    """Where frame `number` of a straight delivery lies, 2 mm/px, by another way than the one that is
    tested.
    """
    lon, lat, _ = GEOD.fwd(*START, HEADING, STEP_M * number + ahead_m)
    return ground_transform(UTM, lon, lat, 2.0, heading_deg=heading, size_px=(HEIGHT, WIDTH))


def surveyed(folder: Path, positions: str | Path | None = None, **options: object) -> Delivery:
    """The survey that `crackpipe frames` makes of a delivery, at folder/survey."""
    return make_survey(
        folder / "frames",
        str(folder / "positions.csv" if positions is None else positions),
        folder / "survey",
        camera_file=folder / "camera.toml",
        **options,  # type: ignore[arg-type]
    )


def bytes_of(folder: Path) -> dict[str, bytes]:
    """Of all files below a folder."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}

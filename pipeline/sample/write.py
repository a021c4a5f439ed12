"""Rendered surveys: georeferenced pictures of pavement whose cracks are known, and the truth beside them.

    DIR/survey/          what `crackpipe run` is given
    DIR/truth/cracks.parquet, DIR/truth/masks/IMAGE.tif

Strategy: a kind of survey is a list of `Frame`s (scene, window, place, file format); one loop writes them.
The same arguments give the same bytes.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from affine import Affine
from pyproj import CRS

from crackpipe.model.render.picture import Camera, Scene
from crackpipe.model.render.scenes import Look, random_scene
from crackpipe.pipeline.errors import OutputNotWritableError, UsageError
from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.sample.files import Compression, ground_transform, write_image
from crackpipe.pipeline.sample.truth import TruthImage, truth_table

Kind = Literal["demo", "strip"]

DEMO_EPSG = 26918
"""NAD83 / UTM 18N, for New York. There a second survey in feet (EPSG:2263) can lie in the next lane."""
DEMO_FEET_EPSG = 2263
DEMO_LON_LAT = (-73.8440, 40.7290)
STRIP_EPSG = 25832
STRIP_LON_LAT = (9.9400, 53.5710)
_METRES_PER_DEGREE = 111_320.0


@dataclass(frozen=True, kw_only=True)
class Frame:
    """One image of a survey: what it shows, where it lies, how it is stored."""

    name: str
    """Path relative to the survey folder, with suffix."""
    scene: Scene
    window: Window
    crs: CRS | None
    transform: Affine | None
    compression: Compression = "jpeg"
    quality: int = 85


def write_survey(
    out_dir: Path,
    *,
    seed: int = 7,
    kind: Kind = "demo",
    size_px: tuple[int, int] | None = None,
    gsd_mm: float | None = None,
    epsg: int | None = None,
) -> Path:
    """Write a survey and its truth under `out_dir`; return the survey's folder.

    The kind "demo" has eight small images in all the forms that surveys have; one of them is for quarantine.
    The kind "strip" is one deflated GeoTIFF of `size_px` (height, width), by default 20,000 x 4,000. Its
    `gsd_mm` is by default 1 and its `epsg` 25832. Raises UsageError if an option does not go with the kind.
    Raises OutputNotWritableError if files cannot be made or `out_dir` holds a survey already.
    """
    if kind == "demo" and (size_px, gsd_mm, epsg) != (None, None, None):
        raise UsageError("size, GSD and CRS are fixed for --kind demo; use --kind strip to choose them")
    survey, truth = out_dir / "survey", out_dir / "truth"
    if survey.exists() and any(survey.iterdir()):
        raise OutputNotWritableError(f"{survey} is not empty; remove it or name another folder")
    if kind == "demo":
        frames = demo_frames(seed)
    else:
        frames = [strip_frame(seed, size_px or (20_000, 4_000), gsd_mm or 1.0, epsg or STRIP_EPSG)]
    for frame in frames:
        write_frame(frame, survey, truth)
    write_truth(frames, truth)
    return survey


def write_frame(frame: Frame, survey: Path, truth: Path | None = None) -> None:
    """Write one image into the survey folder, and its mask below `truth/masks`."""
    write_image(
        survey / frame.name,
        frame.scene,
        crs=frame.crs,
        transform=frame.transform,
        window=frame.window,
        compression=frame.compression,
        quality=frame.quality,
        acquired="2025:05:20 10:00:00",
        mask_path=None if truth is None else (truth / "masks" / frame.name).with_suffix(".tif"),
    )


def write_truth(frames: list[Frame], truth: Path) -> None:
    """Write `cracks.parquet` of all georeferenced frames, in the commonest of their CRSs."""
    images = [
        TruthImage(frame.name, frame.scene, frame.window, frame.crs, frame.transform)
        for frame in frames
        if frame.crs is not None and frame.transform is not None
    ]
    # Among equally common CRSs `most_common` keeps the order of their first appearance.
    crs = Counter(image.crs for image in images).most_common(1)[0][0]
    truth.mkdir(parents=True, exist_ok=True)
    truth_table(images, crs).to_parquet(truth / "cracks.parquet", compression="zstd", schema_version="1.1.0")


def strip_frame(seed: int, size_px: tuple[int, int], gsd_mm: float, epsg: int) -> Frame:
    """A long strip of one lane, north at the top."""
    height, width = size_px
    scene = random_scene(seed, height, width, gsd_mm=gsd_mm, look="old asphalt", with_cracks=True)
    crs = CRS.from_epsg(epsg)
    transform = ground_transform(crs, *STRIP_LON_LAT, gsd_mm, size_px=size_px)
    return Frame(
        name="strip.tif",
        scene=scene,
        window=Window(0, 0, height, width),
        crs=crs,
        transform=transform,
        compression="deflate",
    )


def demo_frames(seed: int) -> list[Frame]:
    """The frames of the demo survey, about 22 megapixels."""
    utm, feet = CRS.from_epsg(DEMO_EPSG), CRS.from_epsg(DEMO_FEET_EPSG)
    # Each scene has its own number. The numbers were chosen by eye, so that seed 7 shows cracks and
    # look-alikes.
    strip = _scene(seed, 1009, "old asphalt", (6000, 1200), 1.0, grey=True)
    lane = _scene(seed, 1018, "old asphalt", (3072, 1536), 1.0)
    slab = _scene(seed, 1028, "concrete", (1536, 1536), 1.0)
    photo = _scene(seed, 1039, "coarse asphalt", (1152, 1536), 1.0)
    turned = _scene(seed, 1046, "concrete", (1536, 1280), 2.0)
    near = _scene(seed, 1054, "old asphalt", (1280, 1280), 0.5)
    lost = _scene(seed, 1063, "new asphalt", (512, 512), 1.0)
    halves = [Window(0, 0, 1536, 1536), Window(1536, 0, 1536, 1536)]
    along = ground_transform(utm, *_offset(0.0, 3.5), 1.0, size_px=(3072, 1536))
    return [
        _placed("strip/0001.tif", strip, utm, 0.0, 0.0),
        # These are two consecutive pictures of one road. A crack goes on across the seam between the files.
        Frame(name="lane1/0001.tif", scene=lane, window=halves[0], crs=utm, transform=along),
        Frame(
            name="lane1/0002.tif",
            scene=lane,
            window=halves[1],
            crs=utm,
            transform=_moved_down(along, 1536),
        ),
        _placed("lane1/0003.tif", slab, utm, 6.0, 3.5),
        _placed("lane1/0004.jpg", photo, utm, 9.0, 3.5),
        _placed("ramp/0001.tif", turned, utm, 6.0, 9.0, heading_deg=38.0),
        _placed("lane2/feet.tif", near, feet, 0.0, 7.0),
        replace(_placed("lane2/no_crs.tif", lost, utm, 3.0, 7.0), crs=None, transform=None),
    ]


def _scene(
    seed: int, number: int, look: Look, size_px: tuple[int, int], gsd_mm: float, *, grey: bool = False
) -> Scene:
    scene = random_scene(seed + number, *size_px, gsd_mm=gsd_mm, look=look, with_cracks=True)
    camera: Camera = replace(scene.camera, grey=grey)
    return replace(scene, camera=camera)


def _offset(north_m: float, east_m: float) -> tuple[float, float]:
    """Longitude and latitude in degrees of a point so many metres from the demo's origin, to some cm."""
    lon, lat = DEMO_LON_LAT
    return lon + east_m / (_METRES_PER_DEGREE * 0.7578), lat + north_m / _METRES_PER_DEGREE


def _moved_down(transform: Affine, rows: int) -> Affine:
    """The transform of the part of an image that begins `rows` rows further down."""
    t = transform
    return Affine(t.a, t.b, t.c + rows * t.b, t.d, t.e, t.f + rows * t.e)


def _placed(
    name: str, scene: Scene, crs: CRS, north_m: float, east_m: float, *, heading_deg: float = 0.0
) -> Frame:
    size = scene.height_px, scene.width_px
    transform = ground_transform(
        crs, *_offset(north_m, east_m), scene.gsd_mm, heading_deg=heading_deg, size_px=size
    )
    return Frame(name=name, scene=scene, window=Window(0, 0, *size), crs=crs, transform=transform)

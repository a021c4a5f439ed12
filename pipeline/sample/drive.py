"""A drive over a rendered road, delivered as vendors deliver: frames, positions beside them, no georeference.

    DIR/frames/000001.jpg ...   EXIF holds the camera's time and the receiver's position
    DIR/positions.csv           a line for each frame
    DIR/track.gpx, track.nmea   the receiver's own track, ten positions a second
    DIR/camera.toml             scale and mount
    DIR/truth/cracks.parquet    every crack of the road

Strategy. The road is one scene, its length along the rows, seen by a camera that looks straight down with
ahead at the top. The vehicle starts, drives, brakes to a stop in the middle, and goes on; the camera takes a
frame each so many metres. Positions are those of the antenna, which is not above the middle of the frame,
with a slow drift and noise. The camera's clock is late. The same arguments give the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from PIL import Image
from pyproj import CRS, Transformer

from crackpipe.model.render.picture import Scene, render_window
from crackpipe.model.render.scenes import random_scene
from crackpipe.pipeline.errors import OutputNotWritableError
from crackpipe.pipeline.geometry.arrays import Floats
from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.sample.files import ground_transform
from crackpipe.pipeline.sample.truth import TruthImage, truth_table

EPSG = 32632
LON_LAT = (9.9400, 53.5710)
CLOCK_LATE_S = 0.8
"""The camera's clock shows so much less than the receiver's."""
AHEAD_M, RIGHT_M = 1.5, 0.3
"""From the antenna to the middle of a frame."""
_START = datetime(2025, 5, 20, 10, 0, 0, tzinfo=UTC).timestamp()
_TICK_S = 0.1


@dataclass(frozen=True, kw_only=True)
class Drive:
    """How a drive is made."""

    frames: int = 12
    size_px: tuple[int, int] = (1024, 1024)
    """Height and width of a frame."""
    overlap: float = 0.1
    """Share of a frame's length that the next one shows too."""
    gsd_mm: float = 1.0
    heading_deg: float = 63.0
    drift_m: float = 0.5
    noise_m: float = 0.02
    heading_noise_deg: float = 0.1
    speed_m_s: float = 12.0
    stops: bool = True
    """Whether the vehicle brakes to a stop half way."""

    @property
    def step_px(self) -> int:
        """From frame to frame."""
        return round(self.size_px[0] * (1 - self.overlap))

    @property
    def road_px(self) -> tuple[int, int]:
        """Height and width of the road."""
        return self.size_px[0] + (self.frames - 1) * self.step_px, self.size_px[1]


def write_drive(folder: Path, seed: int = 7, drive: Drive | None = None) -> Path:
    """Draw the road, drive along it, write the delivery; returns the folder of frames.

    Raises OutputNotWritableError if the folder holds frames already.
    """
    drive = drive or Drive()
    frames = folder / "frames"
    if frames.exists() and any(frames.iterdir()):
        raise OutputNotWritableError(f"{frames} is not empty; remove it or name another folder")
    frames.mkdir(parents=True, exist_ok=True)
    scene, crs, road = road_of(drive, seed)
    rng = np.random.default_rng((seed, 21))
    time_s, way_m = timetable(drive)
    taken_s = np.interp(_frame_ways(drive), way_m, time_s)
    measured = _antenna(drive, road, _frame_ways(drive), taken_s, rng)
    heading = (drive.heading_deg + rng.normal(0, drive.heading_noise_deg, drive.frames)) % 360.0
    names = [f"{number + 1:06d}.jpg" for number in range(drive.frames)]
    for number, name in enumerate(names):
        rgb = _seen(scene, drive, number)
        _write_frame(frames / name, rgb, taken_s[number] - CLOCK_LATE_S, measured[number])
    lines = ["filename,latitude,longitude,altitude,heading,time"]
    lines += [
        f"{name},{lat:.9f},{lon:.9f},32.0,{turn:.3f},{_iso(at)}"
        for name, (lon, lat), turn, at in zip(names, measured.tolist(), heading, taken_s, strict=True)
    ]
    (folder / "positions.csv").write_text("\n".join(lines) + "\n")
    track = _antenna(drive, road, way_m, time_s, rng)
    (folder / "track.gpx").write_text(_gpx(track, time_s))
    (folder / "track.nmea").write_text(_nmea(track, time_s))
    (folder / "camera.toml").write_text(
        f'mm_per_px = {drive.gsd_mm}\nup = "ahead"\nahead_m = {AHEAD_M}\nright_m = {RIGHT_M}\n'
    )
    whole = TruthImage("road", scene, Window(0, 0, *drive.road_px), crs, road)
    (folder / "truth").mkdir(exist_ok=True)
    truth_table([whole], crs).to_parquet(
        folder / "truth" / "cracks.parquet", compression="zstd", schema_version="1.1.0"
    )
    return frames


def road_of(drive: Drive, seed: int) -> tuple[Scene, CRS, Affine]:
    """The road of a drive as one scene, its CRS and its transform."""
    scene = random_scene(seed, *drive.road_px, gsd_mm=drive.gsd_mm, look="old asphalt", with_cracks=True)
    crs = CRS.from_epsg(EPSG)
    size_px, heading_deg = drive.road_px, drive.heading_deg
    road = ground_transform(crs, *LON_LAT, drive.gsd_mm, heading_deg=heading_deg, size_px=size_px)
    return scene, crs, road


def timetable(drive: Drive) -> tuple[Floats, Floats]:
    """Times (T,), POSIX seconds, and ways driven (T,) in metres from the middle of the first frame.

    Speed goes up and down evenly, by 2 m/s each second.
    """
    length_m = (drive.frames - 1) * drive.step_px * drive.gsd_mm / 1000
    legs = [length_m / 2] * 2 if drive.stops else [length_m]
    way, ways = 0.0, [0.0]
    for leg in legs:
        begin = way
        speed = 0.0 if drive.stops else drive.speed_m_s
        while way < begin + leg - 1e-3:
            left = begin + leg - way
            most = float(np.sqrt(2 * 2.0 * left)) if drive.stops else drive.speed_m_s
            speed = max(min(speed + 2.0 * _TICK_S, drive.speed_m_s, most), 0.05)
            way = min(way + speed * _TICK_S, begin + leg)
            ways.append(way)
        if drive.stops:
            ways += [way] * 20
    ways.append(length_m + 1e-9)
    found = np.maximum.accumulate(np.array(ways))
    times = _START + _TICK_S * np.arange(len(found), dtype=np.float64)
    return times, np.asarray(found, np.float64)


def _frame_ways(drive: Drive) -> Floats:
    return np.arange(drive.frames) * drive.step_px * drive.gsd_mm / 1000


def _antenna(drive: Drive, road: Affine, way_m: Floats, time_s: Floats, rng: np.random.Generator) -> Floats:
    """Measured positions (N, 2) (longitude, latitude) of the antenna when the frame's middle is at
    `way_m`."""
    height, width = drive.road_px
    row = height - drive.size_px[0] / 2 - (way_m - AHEAD_M) * 1000 / drive.gsd_mm
    col = width / 2 - RIGHT_M * 1000 / drive.gsd_mm
    x = road.a * col + road.b * row + road.c
    y = road.d * col + road.e * row + road.f
    seconds = time_s - _START
    drift = [np.sin(seconds / period + phase) for period, phase in ((47.0, 0.3), (61.0, 1.9))]
    noise = rng.normal(0, drive.noise_m, (2, len(way_m)))
    x, y = x + drive.drift_m * drift[0] + noise[0], y + drive.drift_m * drift[1] + noise[1]
    return np.column_stack(Transformer.from_crs(EPSG, 4326, always_xy=True).transform(x, y))


def _write_frame(path: Path, rgb: NDArray[np.uint8], camera_s: float, lonlat: Floats) -> None:
    exif = Image.Exif()
    stamp = datetime.fromtimestamp(camera_s, UTC)
    exif[0x0110] = "rendered"
    exif.get_ifd(0x8769).update(
        {
            0x9003: stamp.strftime("%Y:%m:%d %H:%M:%S"),
            0x9011: "+00:00",
            0x9291: f"{stamp.microsecond // 1000:03d}",
        }
    )
    lon, lat = lonlat.tolist()
    exif.get_ifd(0x8825).update({1: "N", 2: _sexagesimal(lat), 3: "E", 4: _sexagesimal(lon)})
    Image.fromarray(rgb).save(path, quality=90, exif=exif)


def _seen(scene: Scene, drive: Drive, number: int) -> NDArray[np.uint8]:
    """What frame `number`, from 0, shows: uint8 (height, width, 3)."""
    height, width = drive.size_px
    return render_window(scene, drive.road_px[0] - height - number * drive.step_px, 0, height, width)[0]


def _sexagesimal(degrees: float) -> tuple[float, float, float]:
    whole = int(degrees)
    minutes = int((degrees - whole) * 60)
    return float(whole), float(minutes), (degrees - whole - minutes / 60) * 3600


def _iso(time_s: float) -> str:
    return datetime.fromtimestamp(time_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _gpx(track: Floats, time_s: Floats) -> str:
    points = "".join(
        f'<trkpt lat="{lat:.9f}" lon="{lon:.9f}"><time>{_iso(at)}</time></trkpt>\n'
        for (lon, lat), at in zip(track.tolist(), time_s, strict=True)
    )
    head = '<gpx xmlns="http://www.topografix.com/GPX/1/1" version="1.1" creator="crackpipe sample">'
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{head}<trk><trkseg>\n{points}</trkseg></trk></gpx>\n'


def _nmea(track: Floats, time_s: Floats) -> str:
    lines = []
    for (lon, lat), at in zip(track.tolist(), time_s, strict=True):
        moment = datetime.fromtimestamp(at, UTC)
        clock = f"{moment:%H%M%S}.{moment.microsecond // 10000:02d}"
        place = f"{_minutes(lat, 2)},N,{_minutes(lon, 3)},E"
        body = f"GPRMC,{clock},A,{place},,,{moment:%d%m%y},,"
        total = 0
        for letter in body.encode():
            total ^= letter
        lines.append(f"${body}*{total:02X}\r\n")
    return "".join(lines)


def _minutes(degrees: float, digits: int) -> str:
    whole = int(degrees)
    return f"{whole:0{digits}d}{(degrees - whole) * 60:011.8f}"

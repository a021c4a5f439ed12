"""A drive over a rendered road, delivered as vendors deliver: frames, positions beside them, no georeference.

    DIR/frames/000000922.jpg ...   named by chainage in mm; EXIF holds the camera's time and a position
    DIR/positions.csv              a line for each frame; points.geojson has the same as points
    DIR/track.gpx, track.nmea      the receiver's own track, ten positions a second
    DIR/centreline.geojson         the line along which chainages count
    DIR/lcms/000000922.xml ...     of a camera that looks straight down
    DIR/camera.toml                mount and scale; of a camera that looks ahead, focal length and lane
    DIR/truth/cracks.parquet       every crack of the road
    DIR/truth/camera.toml          how a camera that looks ahead stands

Strategy. The road is one scene, its length along the rows. A camera looks straight down on it with ahead at
the top, or ahead and down. The vehicle starts, drives, brakes to a stop in the middle, and goes on; the
camera takes a frame each so many metres, and some are lost. Positions are those of the antenna, which is
not above the middle of the frame (or above the camera), with a slow drift and noise. The camera's clock is
late. The same arguments give the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS, Transformer

from crackpipe.model.render.picture import BLOCK_PX, Scene, render_window
from crackpipe.model.render.scenes import random_scene
from crackpipe.pipeline.errors import OutputNotWritableError
from crackpipe.pipeline.geometry.arrays import Floats
from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.sample.ahead import Ahead, seen_ahead, with_lane
from crackpipe.pipeline.sample.delivery import (
    Stamped,
    write_centreline,
    write_frame,
    write_lcms,
    write_positions,
    write_track,
)
from crackpipe.pipeline.sample.files import ground_transform
from crackpipe.pipeline.sample.truth import TruthImage, truth_table

EPSG = 32632
LON_LAT = (9.9400, 53.5710)
CLOCK_LATE_S = 0.8
"""The camera's clock shows so much less than the receiver's."""
AHEAD_M, RIGHT_M = 1.5, 0.3
"""From the antenna to the middle of a frame, or to the camera where it looks ahead."""
_START = datetime(2025, 5, 20, 10, 0, 0, tzinfo=UTC).timestamp()
_TICK_S = 0.1
Rows = Callable[[int, int], NDArray[np.uint8]]
"""From (top, height) to that many rows of the road, uint8 (height, width, 3)."""


@dataclass(frozen=True, kw_only=True)
class Drive:
    """How a drive is made."""

    frames: int = 12
    size_px: tuple[int, int] = (1024, 1024)
    """Height and width of a frame of a camera that looks straight down."""
    overlap: float = 0.1
    """Share of such a frame's length that the next one shows too."""
    ahead: Ahead | None = None
    """A camera that looks ahead and down, instead."""
    gsd_mm: float = 1.0
    """Of the road as it is drawn."""
    heading_deg: float = 63.0
    drift_m: float = 0.5
    noise_m: float = 0.02
    heading_noise_deg: float = 0.1
    sway_m: float = 0.0
    """How far the vehicle leaves the middle of its lane."""
    speed_m_s: float = 12.0
    stops: bool = True
    """Whether the vehicle brakes to a stop half way."""
    lost_every: int = 0
    """Of so many frames one was lost; 0: none. Their positions are there."""

    @property
    def step_px(self) -> int:
        """From frame to frame, px of the road."""
        if self.ahead is not None:
            return round(self.ahead.step_m * 1000 / self.gsd_mm)
        return round(self.size_px[0] * (1 - self.overlap))

    @property
    def road_px(self) -> tuple[int, int]:
        """Height and width of the road."""
        way = (self.frames - 1) * self.step_px
        if self.ahead is None:
            return self.size_px[0] + way, self.size_px[1]
        near_m, far_m = self.ahead.reach_m
        return way + round((far_m - near_m) * 1000 / self.gsd_mm), round(
            self.ahead.road_m * 1000 / self.gsd_mm
        )

    @property
    def start_px(self) -> float:
        """Row of the road under the middle of the first frame, or under the camera that looks ahead."""
        if self.ahead is None:
            return self.road_px[0] - self.size_px[0] / 2
        return self.road_px[0] + self.ahead.reach_m[0] * 1000 / self.gsd_mm


def oblique_drive() -> Drive:
    """The drive of a camera that looks ahead."""
    return Drive(frames=16, ahead=Ahead(), gsd_mm=4.0, sway_m=0.2, lost_every=7)


def write_drive(folder: Path, seed: int = 7, drive: Drive | None = None, rows: Rows | None = None) -> Path:
    """Draw the road, drive along it, write the delivery; returns the folder of frames.

    `rows` shows the road where it was drawn before. Raises OutputNotWritableError if the folder holds
    frames already.
    """
    drive = drive or Drive()
    frames = folder / "frames"
    if frames.exists() and any(frames.iterdir()):
        raise OutputNotWritableError(f"{frames} is not empty; remove it or name another folder")
    frames.mkdir(parents=True, exist_ok=True)
    scene, crs, road = road_of(drive, seed)
    rng = np.random.default_rng((seed, 21))
    time_s, way_m = timetable(drive)
    ways = _frame_ways(drive)
    taken_s = np.interp(ways, way_m, time_s)
    measured = _antenna(drive, road, ways, taken_s, rng)
    heading = (drive.heading_deg + rng.normal(0, drive.heading_noise_deg, drive.frames)) % 360.0
    names = [f"{round(1000 * way):09d}.jpg" for way in ways]
    shown = rows or _drawn(scene)
    for number, name in enumerate(names):
        if drive.lost_every and number % drive.lost_every == drive.lost_every - 1:
            continue
        rgb = _seen(drive, shown, number, seed)
        write_frame(frames / name, rgb, taken_s[number] - CLOCK_LATE_S, measured[number])
    stamped = Stamped(names=names, lonlat=measured, heading_deg=heading, time_s=taken_s)
    write_positions(folder, stamped)
    write_track(folder, _antenna(drive, road, way_m, time_s, rng), time_s)
    still = replace(drive, noise_m=0.0, drift_m=0.0, sway_m=0.0)
    along = np.array([0.0, ways[-1] + 1.0])
    write_centreline(folder / "centreline.geojson", _antenna(still, road, along, 0 * along, rng))
    if drive.ahead is None:
        middles = _antenna(drive, road, ways, taken_s, rng, lever=False)
        begin_m = ways - drive.size_px[0] * drive.gsd_mm / 2000
        write_lcms(folder / "lcms", replace(stamped, lonlat=middles), begin_m, drive.size_px, drive.gsd_mm)
    _write_truth(folder, drive, TruthImage("road", scene, Window(0, 0, *drive.road_px), crs, road))
    return frames


def _write_truth(folder: Path, drive: Drive, road: TruthImage) -> None:
    mount = f"ahead_m = {AHEAD_M}\nright_m = {RIGHT_M}\nchainage_unit_m = 0.001\n"
    truth = folder / "truth"
    truth.mkdir(exist_ok=True)
    table = truth_table([road], road.crs)
    table.to_parquet(truth / "cracks.parquet", compression="zstd", schema_version="1.1.0")
    ahead = drive.ahead
    if ahead is None:
        (folder / "camera.toml").write_text(f'mm_per_px = {drive.gsd_mm}\nup = "ahead"\n{mount}')
        return
    table_of = f"\n[oblique]\ngsd_mm = {drive.gsd_mm}\nfocal_px = {ahead.focal_px}\n"
    (folder / "camera.toml").write_text(f"{mount}{table_of}lane_edges_m = {ahead.lane_m}\n")
    stands = f"height_m = {ahead.height_m}\npitch_deg = {ahead.pitch_deg}\nroll_deg = {ahead.roll_deg}\n"
    (truth / "camera.toml").write_text(f"{mount}yaw_deg = {ahead.yaw_deg}\n{table_of}{stands}")


def road_of(drive: Drive, seed: int) -> tuple[Scene, CRS, Affine]:
    """The road of a drive as one scene, its CRS and its transform."""
    scene = random_scene(seed, *drive.road_px, gsd_mm=drive.gsd_mm, look="old asphalt", with_cracks=True)
    if drive.ahead is not None:
        scene = with_lane(scene, drive.ahead.lane_m)
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


def _antenna(
    drive: Drive,
    road: Affine,
    way_m: Floats,
    time_s: Floats,
    rng: np.random.Generator,
    *,
    lever: bool = True,
) -> Floats:
    """Measured positions (N, 2) (longitude, latitude) of the antenna (or without `lever` of what it is the
    lever of) at `way_m`.
    """
    ahead_m, right_m = (AHEAD_M, RIGHT_M) if lever else (0.0, 0.0)
    row = drive.start_px - (way_m - ahead_m) * 1000 / drive.gsd_mm
    col = drive.road_px[1] / 2 + (sway_m(drive, way_m) - right_m) * 1000 / drive.gsd_mm
    x = road.a * col + road.b * row + road.c
    y = road.d * col + road.e * row + road.f
    seconds = time_s - _START
    drift = [np.sin(seconds / period + phase) for period, phase in ((47.0, 0.3), (61.0, 1.9))]
    noise = rng.normal(0, drive.noise_m, (2, len(way_m)))
    x, y = x + drive.drift_m * drift[0] + noise[0], y + drive.drift_m * drift[1] + noise[1]
    return np.column_stack(Transformer.from_crs(EPSG, 4326, always_xy=True).transform(x, y))


def sway_m(drive: Drive, way_m: Floats) -> Floats:
    """How far the vehicle is right of the middle of its lane, at ways (N,), metres."""
    return np.asarray(drive.sway_m * np.sin(way_m / 9.0 + 0.7), np.float64)


def _drawn(scene: Scene) -> Rows:
    """Rows of a scene, of which each is drawn once while a vehicle passes it."""

    @lru_cache(maxsize=16)
    def band(number: int) -> NDArray[np.uint8]:
        top = number * BLOCK_PX
        return render_window(scene, top, 0, min(BLOCK_PX, scene.height_px - top), scene.width_px)[0]

    def rows(top: int, height: int) -> NDArray[np.uint8]:
        first, last = top // BLOCK_PX, (top + height - 1) // BLOCK_PX
        bands = np.concatenate([band(number) for number in range(first, last + 1)])
        return bands[top - first * BLOCK_PX :][:height]

    return rows


def _seen(drive: Drive, rows: Rows, number: int, seed: int) -> NDArray[np.uint8]:
    """What frame `number`, from 0, shows: uint8 (height, width, 3)."""
    moved = number * drive.step_px
    if drive.ahead is None:
        height, _ = drive.size_px
        return rows(drive.road_px[0] - height - moved, height)
    near_m, far_m = drive.ahead.reach_m
    height = round((far_m - near_m) * 1000 / drive.gsd_mm)
    top = drive.road_px[0] - height - moved
    right_px = float(sway_m(drive, _frame_ways(drive)[number : number + 1])[0]) * 1000 / drive.gsd_mm
    foot = drive.start_px - moved - top - 0.5, drive.road_px[1] / 2 - 0.5 + right_px
    return seen_ahead(drive.ahead, rows(top, height), foot, drive.gsd_mm, seed + number)

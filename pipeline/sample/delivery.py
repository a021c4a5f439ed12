"""What lies beside the frames of a drive: positions in each form in which vendors deliver them.

Positions are (longitude, latitude) in degrees, times POSIX seconds.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from crackpipe.pipeline.geometry.arrays import Floats


@dataclass(frozen=True, kw_only=True)
class Stamped:
    """What was measured for each frame."""

    names: Sequence[str]
    lonlat: Floats
    """(N, 2) of the antenna."""
    heading_deg: Floats
    """(N,) clockwise from true north."""
    time_s: Floats
    """(N,) by the receiver's clock."""


def write_positions(folder: Path, frames: Stamped) -> None:
    """A line for each frame as CSV, and a point for each as GeoJSON."""
    lines = ["filename,latitude,longitude,altitude,heading,time"]
    features = []
    for name, (lon, lat), turn, at in zip(
        frames.names, frames.lonlat.tolist(), frames.heading_deg, frames.time_s, strict=True
    ):
        lines.append(f"{name},{lat:.9f},{lon:.9f},32.0,{turn:.3f},{_iso(at)}")
        features.append(
            _feature("Point", [lon, lat], {"image": name, "heading": round(float(turn), 3), "time": _iso(at)})
        )
    (folder / "positions.csv").write_text("\n".join(lines) + "\n")
    _write_geojson(folder / "points.geojson", features)


def write_track(folder: Path, lonlat: Floats, time_s: Floats) -> None:
    """The receiver's own track (T, 2) at times (T,), as GPX and NMEA."""
    (folder / "track.gpx").write_text(_gpx(lonlat, time_s))
    (folder / "track.nmea").write_text(_nmea(lonlat, time_s))


def write_centreline(file: Path, lonlat: Floats) -> None:
    """A line (V, 2) along which names of frames are chainages."""
    _write_geojson(file, [_feature("LineString", lonlat.tolist(), {"road": "rendered"})])


def write_lcms(
    folder: Path, frames: Stamped, begin_m: Floats, size_px: tuple[int, int], gsd_mm: float
) -> None:
    """An XML for each frame as a laser crack measurement system writes it, without cracks.

    `frames.lonlat` are middles of frames, `begin_m` (N,) chainages of their lower edges.
    """
    folder.mkdir(exist_ok=True)
    height, width = size_px
    for name, (lon, lat), turn, begin in zip(
        frames.names, frames.lonlat.tolist(), frames.heading_deg, begin_m, strict=True
    ):
        text = (
            "<LcmsAnalyserResults>\n"
            f"<RoadSectionInfo><DistanceBegin_m>{begin:.3f}</DistanceBegin_m>"
            f"<SectionLength_m>{height * gsd_mm / 1000:.4f}</SectionLength_m></RoadSectionInfo>\n"
            f"<SectionPosition><Longitude>{lon:.9f}</Longitude><Latitude>{lat:.9f}</Latitude>"
            f"<Heading>{turn:.3f}</Heading></SectionPosition>\n"
            f"<ResultImageInformation><ResolutionX>{gsd_mm}</ResolutionX><ResolutionY>{gsd_mm}</ResolutionY>"
            f"<ImageWidth>{width}</ImageWidth><ImageHeight>{height}</ImageHeight></ResultImageInformation>\n"
            "</LcmsAnalyserResults>\n"
        )
        (folder / f"{Path(name).stem}.xml").write_text(text)


def write_frame(path: Path, rgb: NDArray[np.uint8], camera_s: float, lonlat: Floats) -> None:
    """A JPEG of uint8 (H, W, 3) whose EXIF holds the camera's time and a position (2,)."""
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


def _feature(kind: str, coordinates: object, properties: dict[str, object]) -> dict[str, object]:
    return {
        "type": "Feature",
        "properties": properties,
        "geometry": {"type": kind, "coordinates": coordinates},
    }


def _write_geojson(file: Path, features: Sequence[dict[str, object]]) -> None:
    file.write_text(json.dumps({"type": "FeatureCollection", "features": features}) + "\n")

"""A finished run over a road of known geometry with known cracks, written by the real writers of tables.

No network runs: each frame of a vehicle is given what it would see of the drawn cracks.

Frame of the road: s metres along its axis on the ground, o metres to its right.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from affine import Affine
from frames import ORIGIN, UTM32, survey_image
from pyproj import CRS

from crackpipe.pipeline.config import Config
from crackpipe.pipeline.image import SurveyImage
from crackpipe.pipeline.state.output import Output
from crackpipe.pipeline.storage.sealed import write_json, write_sealed
from crackpipe.pipeline.tables.crack_rows import Piece, crack_rows, write_rows
from crackpipe.pipeline.tables.write import write_tables
from crackpipe.pipeline.width.row_width import RowWidth

GRID_PER_M = 0.9996
"""Units of UTM per metre on the ground, at the middle of a zone."""
GSD_M = 0.001
STEP_M = 0.02


@dataclass(frozen=True)
class Road:
    """The axis every 0.1 m."""

    s: np.ndarray
    """(V,) metres on the ground."""
    xy: np.ndarray
    """(V, 2) in EPSG:25832."""
    heading: np.ndarray
    """(V,) radians, clockwise from north."""

    @classmethod
    def bent(cls, length_m: float, radius_m: float = 400.0, heading_deg: float = 30.0) -> "Road":
        """Bends right for the first half and left for the second; straight if the radius is infinite."""
        s = np.linspace(0.0, length_m, round(length_m / 0.1) + 1)
        turn = np.where(s < length_m / 2, 1.0, -1.0) / radius_m
        heading = np.radians(heading_deg) + np.concatenate([[0.0], np.cumsum(turn[1:] * np.diff(s))])
        middle = (heading[1:] + heading[:-1]) / 2
        steps = np.column_stack([np.sin(middle), np.cos(middle)]) * np.diff(s)[:, None] * GRID_PER_M
        return cls(s, ORIGIN + np.concatenate([[[0.0, 0.0]], np.cumsum(steps, axis=0)]), heading)

    def points(self, s: np.ndarray, o: np.ndarray) -> np.ndarray:
        """World (N, 2) of places (s, o)."""
        heading = np.interp(s, self.s, self.heading)
        axis = np.column_stack([np.interp(s, self.s, self.xy[:, k]) for k in (0, 1)])
        right = np.column_stack([np.cos(heading), -np.sin(heading)])
        return axis + right * np.asarray(o)[:, None] * GRID_PER_M

    def centreline(self, every_m: float = 5.0) -> shapely.LineString:
        at = np.linspace(0.0, self.s[-1], round(self.s[-1] / every_m) + 1)
        return shapely.LineString(self.points(at, np.zeros(len(at))))


@dataclass(frozen=True)
class Drawn:
    """A crack in the frame of the road."""

    so: np.ndarray
    """(V, 2)"""
    width_mm: float = 2.0

    @classmethod
    def straight(cls, begin: tuple[float, float], end: tuple[float, float], width_mm: float = 2.0) -> "Drawn":
        count = max(2, int(np.hypot(*np.subtract(end, begin)) / STEP_M))
        return cls(np.linspace(begin, end, count), width_mm)


def width_of(width_mm: float) -> RowWidth:
    index = int(width_mm >= 1) + int(width_mm >= 3)
    p = [0.1, 0.1, 0.1]
    p[index] = 0.8
    return RowWidth(
        width_mm=width_mm, width_sigma_mm=0.1 * width_mm, width_p95_mm=width_mm, width_max_mm=width_mm,
        width_class=("tiny", "small", "wide")[index], p_tiny=p[0], p_small=p[1], p_wide=p[2],
        class_uncertain=False, width_flag=False,
    )  # fmt: skip


@dataclass(frozen=True)
class Shot:
    """One frame of the vehicle."""

    name: str
    s: float
    """Of its middle."""
    o: float = 0.0
    length_m: float = 5.5
    width_m: float = 4.0
    inspected: str | None = None
    """WKT in pixels, None: all."""

    def image(self, road: Road, crs: CRS = UTM32) -> SurveyImage:
        """Its first row is farthest along the road."""
        at = np.array([self.s])
        centre = road.points(at, np.array([self.o]))[0]
        heading = float(np.interp(self.s, road.s, road.heading))
        along = np.array([np.sin(heading), np.cos(heading)]) * GSD_M
        right = np.array([np.cos(heading), -np.sin(heading)]) * GSD_M
        rows, cols = round(self.length_m / GSD_M), round(self.width_m / GSD_M)
        corner = centre - right * cols / 2 + along * rows / 2
        transform = Affine(right[0], -along[0], corner[0], right[1], -along[1], corner[1])
        return survey_image(self.name, crs, transform, (rows, cols))


def shots(
    length_m: float, *, without: tuple[float, float] = (np.inf, np.inf), folder: str = "lane1"
) -> list[Shot]:
    """Frames every 5 m that overlap by 0.5 m, none that reaches between the two s of `without`."""
    middles = np.arange(2.5, length_m, 5.0)
    keep = (middles + 2.75 <= without[0]) | (middles - 2.75 >= without[1])
    return [Shot(f"{folder}/{index:04d}.tif", float(s)) for index, s in enumerate(middles) if keep[index]]


def write_run(
    out: Path, road: Road, taken: Sequence[Shot], cracks: Sequence[Drawn], tables_crs: CRS = UTM32
) -> Path:
    """The output folder of a run over these frames."""
    output = Output(out)
    output.create()
    lines = [shapely.LineString(road.points(*crack.so.T)) for crack in cracks]
    tree = shapely.STRtree(lines)
    images = [shot.image(road) for shot in taken]
    markers, rows = {}, {}
    for shot, image in zip(taken, images, strict=True):
        footprint = shapely.Polygon(image.footprint)
        seen = _seen(image, shot)
        pieces = []
        for index in sorted(tree.query(footprint, predicate="intersects").tolist()):
            for part in shapely.get_parts(shapely.intersection(lines[index], seen)):
                if part.geom_type == "LineString" and part.length > 0:
                    pieces.append(_piece(image, part, len(pieces), cracks[index].width_mm))
        rows[image.image_id] = output.rows(image.image_id)
        write_rows(crack_rows(pieces, image, weights="drawn"), rows[image.image_id])
        markers[image.image_id] = _marker(image, shot, len(pieces))
        write_sealed(output.marker(image.image_id), markers[image.image_id])
    tables = [out / "cracks.parquet", out / "images.parquet"]
    write_tables(
        images,
        [],
        markers,
        rows,
        tables,
        crs=tables_crs,
        config=Config(),
        crack_classes=("crack",),
        weights="drawn",
    )
    write_json(out / "run.json", {"configuration": {}, "survey": ["survey"]})
    return out


def _marker(image: SurveyImage, shot: Shot, rows: int) -> dict[str, Any]:
    """What a run notes of an image that is done and has so many rows."""
    height, width = image.height_px, image.width_px
    whole = height * width * (image.gsd_mm / 1000) ** 2
    share = 1.0 if shot.inspected is None else shapely.from_wkt(shot.inspected).area / (height * width)
    return {
        "image_id": image.image_id,
        "status": "done",
        "rows": rows,
        "message": None,
        "remedy": None,
        "inspected_m2": whole * share,
        "uninspected_m2": whole * (1 - share),
        "too_wide_m2": 0.0,
        "inspected_area": shot.inspected,
        "files": {},
        "fingerprint": {},
    }


def _seen(image: SurveyImage, shot: Shot) -> shapely.Geometry:
    if shot.inspected is None:
        return shapely.Polygon(image.footprint)
    t = image.transform
    return shapely.transform(
        shapely.from_wkt(shot.inspected),
        lambda xy: np.column_stack(
            [t.a * xy[:, 0] + t.b * xy[:, 1] + t.c, t.d * xy[:, 0] + t.e * xy[:, 1] + t.f]
        ),
    )


def _piece(image: SurveyImage, line: shapely.LineString, network: int, width_mm: float) -> Piece:
    back = ~image.transform
    xy = np.asarray(line.coords)
    col = back.a * xy[:, 0] + back.b * xy[:, 1] + back.c - 0.5
    row = back.d * xy[:, 0] + back.e * xy[:, 1] + back.f - 0.5
    return Piece(
        vertices=np.column_stack([row, col]), network=network, closes_cell=False, width=width_of(width_mm),
        confidence=0.9, bridged_px=0.0,
    )  # fmt: skip


def write_lines(
    path: Path, lines: Sequence[shapely.Geometry], crs: CRS = UTM32, **columns: Sequence[object]
) -> Path:
    """A file of lines, GeoPackage or GeoParquet."""
    table = gpd.GeoDataFrame(columns, geometry=list(lines), crs=crs)
    if path.suffix == ".parquet":
        table.to_parquet(path)
    else:
        table.to_file(path, layer="roads", engine="pyogrio")
    return path


def random_cracks(seed: int, length_m: float, every_m: float = 3.0) -> list[Drawn]:
    """Longitudinal, transverse and diagonal cracks in and beside a lane of 3.5 m, of all widths."""
    rng = np.random.default_rng(seed)
    found = []
    for s in np.arange(1.0, length_m - 4.0, every_m):
        o, width = rng.uniform(-1.9, 1.9), float(rng.choice([0.6, 2.0, 5.0]))
        kind = rng.integers(3)
        if kind == 0:
            end = (s + rng.uniform(0.5, 3.5), o)
        elif kind == 1:
            end = (s, float(np.clip(o + rng.choice([-1, 1]) * rng.uniform(0.5, 2.5), -1.95, 1.95)))
        else:
            end = (s + rng.uniform(0.3, 1.0), float(np.clip(o + rng.uniform(-1, 1), -1.95, 1.95)))
        found.append(Drawn.straight((s, o), end, width))
    return found

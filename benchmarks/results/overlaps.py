"""Tables of a mosaic of overlapping frames: is every crack counted once, how fast, in how much memory?

    python benchmarks/results/overlaps.py --frames 10000 --shift-mm 5

Two lanes of frames of 2 x 2 m at 1 mm/px, each overlapping the next by 60 % and the other lane by 20 %. Known
cracks, meandering, every 5 m: one across both lanes, one of 4 m along each lane, and one of 4 m along the
seam between the lanes. Each frame holds what it sees of them, shifted by its own error of registration
(deviation `--shift-mm` in each axis); no network runs. Printed are the error of the total length, the share
of cracks that are exactly one network, seconds and peak memory of making the table.
"""

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path

import geopandas as gpd
import numpy as np
import shapely
from affine import Affine
from pyproj import CRS

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "support"))
from widths import SMALL

from crackpipe.pipeline.geometry.ground import ground_matrix, gsd_mm_of
from crackpipe.pipeline.image import BandLayout, FileStamp, SurveyImage
from crackpipe.pipeline.tables.collect import Staged, collect
from crackpipe.pipeline.tables.crack_rows import Piece, crack_rows, write_rows
from crackpipe.pipeline.tables.overlaps.plane import Frame

UTM32 = CRS("EPSG:25832")
SIDE_PX, GSD_M = 2000, 0.001
STEP_M, LANE_M, PERIOD_M = 0.8, 1.6, 5.0
ORIGIN = np.array([500_000.0, 5_400_000.0])


def meandering(rng: np.random.Generator, start: tuple[float, float], end: tuple[float, float]) -> np.ndarray:
    """A line (V, 2) (x, y) in metres with a vertex every 30 mm that strays by some mm from a straight one."""
    first, last = np.array(start), np.array(end)
    length = np.hypot(*(last - first))
    along = np.linspace(0.0, 1.0, int(length / 0.03))
    aside = np.cumsum(rng.normal(0.0, 0.002, len(along)))
    aside -= np.interp(along, [0.0, 1.0], [aside[0], aside[-1]])
    normal = np.array([-(last - first)[1], (last - first)[0]]) / length
    return first + along[:, None] * (last - first) + aside[:, None] * normal


def cracks_of(rng: np.random.Generator, length_m: float) -> list[np.ndarray]:
    """All cracks of a road that runs north from the origin, the seam of the lanes at x = 1.8 m."""
    found = []
    for y in np.arange(0.5, length_m - 4.8, PERIOD_M):
        found.append(meandering(rng, (0.2, y), (3.4, y + 0.1)))
        for x in (0.8, 1.8, 2.9):
            found.append(meandering(rng, (x, y + 0.4), (x + 0.05, y + 4.4)))
    return found


def image_of(name: str, x: float, y: float) -> SurveyImage:
    transform = Affine(GSD_M, 0, ORIGIN[0] + x, 0, -GSD_M, ORIGIN[1] + y + SIDE_PX * GSD_M)
    ground = ground_matrix(transform, UTM32, SIDE_PX, SIDE_PX)
    return SurveyImage(
        image_id=name, survey="mosaic", file=FileStamp(Path(name), 1, 1), driver="GTiff", height_px=SIDE_PX,
        width_px=SIDE_PX, bands=3, dtype="uint8", layout=BandLayout((1, 2, 3)), transform=transform,
        crs_wkt=UTM32.to_wkt(), ground=((ground[0, 0], ground[0, 1]), (ground[1, 0], ground[1, 1])),
        gsd_mm=gsd_mm_of(ground), nodata=None, mask=None, has_missing_blocks=False, acquired=None,
    )  # fmt: skip


def stage(
    folder: Path, frames: int, shift_m: float, seed: int, *, apart: bool = False, drive: int = 1
) -> tuple[list[Staged], list[np.ndarray]]:
    """Rows of all frames in files, and the true cracks; frames `apart` are moved off each other by 1 m.

    Each `drive` over the same road has its own errors of registration.
    """
    rng, shifts = np.random.default_rng(seed), np.random.default_rng([seed, drive])
    per_lane = frames // 2
    cracks = cracks_of(rng, per_lane * STEP_M + 1.2)
    lines = np.array([shapely.LineString(each) for each in cracks], dtype=object)
    tree, staged = shapely.STRtree(lines), []
    for index in range(2 * per_lane):
        lane, number = divmod(index, per_lane)
        x, y = lane * LANE_M, number * STEP_M
        where = (x + 1.4 * lane, y * 3.0 / STEP_M) if apart else (x, y)
        image = image_of(f"drive{drive}/lane{lane}/{number:05d}.tif", *where)
        seen, shift = shapely.box(x, y, x + 2.0, y + 2.0), shifts.normal(0.0, shift_m, 2)
        pieces = []
        for which in np.sort(tree.query(seen, predicate="intersects")):
            for part in shapely.get_parts(shapely.intersection(lines[which], seen)):
                xy = shapely.get_coordinates(part) + shift - [x, y]
                pixels = np.column_stack([SIDE_PX - xy[:, 1] / GSD_M, xy[:, 0] / GSD_M]) - 0.5
                if len(pixels) > 1 and shapely.length(part) > 0.01:
                    pieces.append(
                        Piece(
                            vertices=pixels,
                            network=len(pieces),
                            closes_cell=False,
                            width=SMALL,
                            confidence=0.9,
                            bridged_px=0.0,
                        )
                    )
        file = folder / f"{drive}-{index}.parquet"
        write_rows(crack_rows(pieces, image, weights="none"), file)
        frame = Frame(image.footprint, SIDE_PX, SIDE_PX, image.ground_matrix)
        staged.append(Staged(image.image_id, file, frame, image.survey, "none", 0.0))
    return staged, cracks


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=1000)
    parser.add_argument("--shift-mm", type=float, default=5.0)
    parser.add_argument("--seam-mm", type=float, default=30.0)
    parser.add_argument(
        "--apart", action="store_true", help="frames that do not overlap: only the time counts"
    )
    parser.add_argument("--drives", type=int, default=1, help="how often the same road is driven")
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        staged: list[Staged] = []
        for drive in range(1, options.drives + 1):
            some, cracks = stage(
                folder,
                options.frames,
                options.shift_mm / 1000,
                options.seed,
                apart=options.apart,
                drive=drive,
            )
            staged += some
        before_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        started, cpu = time.perf_counter(), time.process_time()
        footprints = [image.frame.corners for image in staged]
        collect(staged, footprints, UTM32, folder / "cracks.parquet", seam_mm=options.seam_mm)
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
        peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        table = gpd.read_parquet(folder / "cracks.parquet")
    print(f"frames {len(staged)}, cracks {len(cracks)}, rows {len(table)}")
    print(
        f"seconds {seconds:.1f}, CPU {cpu:.1f}; peak memory {peak_mib:.0f} MiB, before {before_mib:.0f} MiB"
    )
    if not options.apart:
        compare(table, cracks)


def compare(table: gpd.GeoDataFrame, cracks: list[np.ndarray]) -> None:
    """Print how the table differs from the truth."""
    true = np.array([shapely.LineString(each + ORIGIN) for each in cracks], dtype=object)
    found_m, true_m = shapely.length(table.geometry.to_numpy()).sum(), shapely.length(true).sum()
    middle = table.geometry.interpolate(0.5, normalized=True).to_numpy()
    nearest = shapely.STRtree(true).nearest(middle)
    networks = table.groupby(nearest).network_id.nunique()
    mixed = table.groupby("network_id").apply(
        lambda rows: len(set(nearest[rows.index])), include_groups=False
    )
    whole = (networks == 1).reindex(range(len(true)), fill_value=False)
    print(f"length {found_m:.2f} m of {true_m:.2f} m: error {100 * (found_m / true_m - 1):+.2f} %")
    print(
        f"cracks that are one network: {100 * whole.mean():.2f} %; networks of several: {(mixed > 1).sum()}"
    )


if __name__ == "__main__":
    main()

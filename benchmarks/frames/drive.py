"""A drawn drive in each form of delivery against the same road as one GeoTIFF.

    python benchmarks/frames/drive.py WORK [FRAMES]

Each delivery becomes a survey and is inspected by the default weights. Printed are, for each: the offset of
clocks that was found (0.8 s is true), length found, its ratio to that of the GeoTIFF, the share of found
length within 1.02 m of a true crack (two sigma of a drift of 0.5 m, and 2 cm), and the number of networks.
"""

import subprocess
import sys
import tomllib
from pathlib import Path

import geopandas
import numpy as np
import shapely

from crackpipe.pipeline.sample.drive import Drive, road_of, write_drive
from crackpipe.pipeline.sample.files import write_image

WITHIN_M = 2 * 0.5 + 0.02
SEED = 7


def crackpipe(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "crackpipe", *arguments], check=True, stdout=subprocess.DEVNULL)


def row(what: str, out: Path, truth: geopandas.GeoDataFrame, length_m: float | None, clock: str) -> float:
    found = geopandas.read_parquet(out / "cracks.parquet")
    lines = shapely.segmentize(found.geometry.to_numpy(), 0.01)
    points = shapely.points(shapely.get_coordinates(lines))
    off = shapely.distance(points, shapely.union_all(truth.to_crs(found.crs).geometry.to_numpy()))
    total = float(found.length_m.sum())
    ratio = "" if length_m is None else f"{total / length_m:6.3f}"
    print(
        f"{what:<13} {clock:>7} {total:8.2f} m {ratio:>7} {np.mean(off <= WITHIN_M):7.1%} "
        f"{found.network_id.nunique():5}",
        flush=True,
    )
    return total


def main() -> None:
    work = Path(sys.argv[1])
    drive = Drive(frames=int(sys.argv[2])) if len(sys.argv) > 2 else Drive()
    frames = write_drive(work, SEED, drive)
    scene, crs, road = road_of(drive, SEED)
    write_image(work / "geotiff" / "road.tif", scene, crs=crs, transform=road)
    truth = geopandas.read_parquet(work / "truth" / "cracks.parquet")
    crackpipe("run", str(work / "geotiff"), "--out", str(work / "geotiff-cracks"))
    print("delivery     clock s   length    ratio  within networks")
    length_m = row("geotiff", work / "geotiff-cracks", truth, None, "")
    for kind in ("positions.csv", "track.gpx", "track.nmea", "exif"):
        positions = kind if kind == "exif" else str(work / kind)
        survey = work / f"survey-{kind}"
        camera = str(work / "camera.toml")
        crackpipe("frames", str(frames), "--positions", positions, "--camera", camera, "--out", str(survey))
        crackpipe("run", str(survey), "--out", str(work / f"{kind}-cracks"))
        facts = tomllib.loads((survey / "survey.toml").read_text())["assumption"]
        clocks = [f"{each['value']:.2f}" for each in facts if each["what"] == "clock_offset_s"]
        row(kind, work / f"{kind}-cracks", truth, length_m, *(clocks or [""]))


if __name__ == "__main__":
    main()

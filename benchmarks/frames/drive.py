"""A drawn drive in each form of delivery against the same road as one GeoTIFF.

    python benchmarks/frames/drive.py WORK [FRAMES] [INSPECTED ...]

The road is drawn once, 1 km with 464 frames, as a GeoTIFF of 2.5 mm/px; frames are JPEGs cut from it. Each
delivery becomes a survey. Printed are, for each: the offset of clocks that was found (0.8 s is true), how
far corners of frames are off their true places (95th percentile and maximum), and how far neighbours are
off each other. Then what is said of the clocks of a drive at constant speed.

Then the GeoTIFF and the deliveries that are named as INSPECTED (positions.csv if none is) are inspected by
default weights. Printed are length found, its ratio to that of the GeoTIFF, the share of true length that
is found, the share of found length that is placed within 1.02 m of its truth (two sigma of a drift of 0.5
m, and 2 cm), and how much of networks that several frames show has another network_id than the rest.
"""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import geopandas
import numpy as np
import rasterio
import shapely
from affine import Affine

from crackpipe.pipeline.sample.drive import CLOCK_LATE_S, Drive, road_of, write_drive
from crackpipe.pipeline.sample.files import write_image
from crackpipe.pipeline.survey.sidecars.world_files import read_world_file

WITHIN_M = 2 * 0.5 + 0.02
NEAR_M = 0.02
SEED = 7
DELIVERIES = (
    "positions.csv",
    "track.gpx",
    "track.nmea",
    "exif",
    "points.geojson",
    "centreline.geojson",
    "lcms",
)


def crackpipe(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "crackpipe", *arguments], check=True, stdout=subprocess.DEVNULL)


def draw(work: Path, drive: Drive) -> Affine:
    scene, crs, road = road_of(drive, SEED)
    file = work / "geotiff" / "road.tif"
    if not file.exists():
        write_image(work / "drawn.tif", scene, crs=crs, transform=road)
        file.parent.mkdir(exist_ok=True)
        (work / "drawn.tif").replace(file)
    if not (work / "delivery" / "truth").exists():
        with rasterio.open(file) as dataset:

            def rows(top: int, height: int) -> np.ndarray:
                window = rasterio.windows.Window(0, top, dataset.width, height)
                bands = dataset.read(window=window).transpose(1, 2, 0)
                return bands if bands.shape[2] == 3 else np.repeat(bands, 3, axis=2)

            write_drive(work / "delivery", SEED, drive, rows)
    return road


def true_transforms(drive: Drive, road: Affine) -> dict[str, Affine]:
    """Where each frame lies in truth, by the stem of its name."""
    height, _ = drive.size_px
    tops = [drive.road_px[0] - height - number * drive.step_px for number in range(drive.frames)]
    ways = [number * drive.step_px * drive.gsd_mm for number in range(drive.frames)]
    return {
        f"{round(way):09d}": road @ Affine.translation(0, top) for way, top in zip(ways, tops, strict=True)
    }


def found_transforms(survey: Path) -> dict[str, Affine]:
    return {file.stem: read_world_file(file).transform for file in sorted(survey.glob("*.jgw"))}


def survey_of(work: Path, kind: str) -> Path:
    survey, delivery = work / f"survey-{kind}", work / "delivery"
    camera = delivery / "camera.toml"
    if kind == "lcms":  # its positions are middles of frames, and it says what a pixel is
        camera = work / "camera_lcms.toml"
        camera.write_text('up = "ahead"\n')
    positions = kind if kind == "exif" else str(delivery / kind)
    crackpipe(
        "frames",
        str(delivery / "frames"),
        "--positions",
        positions,
        "--camera",
        str(camera),
        "--out",
        str(survey),
    )
    return survey


def placed(work: Path, kind: str, drive: Drive, truth: dict[str, Affine]) -> None:
    survey = survey_of(work, kind)
    height, width = drive.size_px
    corners = [(0, 0), (width, 0), (width, height), (0, height)]
    found = found_transforms(survey)
    off = [
        max(float(np.hypot(*np.subtract(transform @ corner, truth[name] @ corner))) for corner in corners)
        for name, transform in found.items()
    ]
    facts = tomllib.loads((survey / "survey.toml").read_text())["assumption"]
    clock = next((f"{each['value']:.2f}" for each in facts if each["what"] == "clock_offset_s"), "")
    seams = json.loads((survey / "delivery.json").read_text())["seams"]
    print(
        f"{kind:<19} {clock:>7} {len(found):6} {np.quantile(off, 0.95):7.2f} m {max(off):6.2f} m "
        f"{seams['before_mm'][1]:7.0f} {seams['after_mm'][1]:6.0f} mm",
        flush=True,
    )


def clocks(work: Path) -> None:
    """What is said of the clocks of a drive that brakes and stops, and of one at constant speed."""
    for what, stops in (("brakes and stops", True), ("constant speed", False)):
        folder = work / f"clock-{'stops' if stops else 'constant'}"
        drive = Drive(frames=464, size_px=(120, 48), gsd_mm=20.0, stops=stops)
        if not (folder / "truth").exists():
            write_drive(folder, SEED, drive, lambda top, height: np.full((height, 48, 3), 99, np.uint8))
        for track in ("track.gpx", "track.nmea"):
            command = [sys.executable, "-m", "crackpipe", "frames", str(folder / "frames"), "--no-seams"]
            command += ["--positions", str(folder / track), "--camera", str(folder / "camera.toml")]
            survey = work / f"{folder.name}-{track}"
            done = subprocess.run(
                [*command, "--out", str(survey)], capture_output=True, text=True, check=False
            )
            if done.returncode not in {0, 3}:
                print(f"{what}, {track}: {done.stderr.strip()}")
                continue
            facts = tomllib.loads((survey / "survey.toml").read_text())["assumption"]
            found = next(each["value"] for each in facts if each["what"] == "clock_offset_s")
            print(f"{what}, {track}: {found:.3f} s found, {CLOCK_LATE_S} s is true")


def inspect(work: Path, kind: str, survey: Path) -> geopandas.GeoDataFrame:
    out = work / f"cracks-{kind}"
    crackpipe("run", str(survey), "--out", str(out))
    return geopandas.read_parquet(out / "cracks.parquet")


def figures(work: Path, kind: str, truth: dict[str, Affine], geotiff: geopandas.GeoDataFrame) -> None:
    """Compare what was found in a delivery with what was found in the GeoTIFF, at the true places of both."""
    survey = work / f"survey-{kind}"
    found = inspect(work, kind, survey)
    transforms = found_transforms(survey)
    lines, moved_m = [], []
    for name, line in zip(found.image_id, found.geometry, strict=True):
        stem = Path(name).stem
        at = shapely.get_coordinates(shapely.segmentize(line, 0.01))
        to_truth = truth[stem] @ ~transforms[stem]
        true = np.array([to_truth @ tuple(each) for each in at])
        lines.append(shapely.LineString(true))
        moved_m.append(np.hypot(*(true - at).T))
    cracks = geopandas.read_parquet(work / "delivery" / "truth" / "cracks.parquet").to_crs(found.crs)
    true_m = float(cracks.length_m.sum())
    shares = [share_near(cracks.geometry, each) for each in (lines, geotiff.geometry)]
    ratio = found.length_m.sum() / geotiff.length_m.sum()
    within = np.mean(np.concatenate(moved_m) <= WITHIN_M)
    parted = kept_together(found, lines, geotiff)
    print(
        f"{kind:<19} {found.length_m.sum():8.1f} m {ratio:6.3f} {shares[0]:8.1%} (GeoTIFF {shares[1]:.1%} of "
        f"{true_m:.1f} m) {within:7.1%} within {WITHIN_M} m; {found.network_id.nunique()} networks (GeoTIFF "
        f"{geotiff.network_id.nunique()}), {parted[0]:.1%} parted within a frame, {parted[1]:.1%} between "
        f"frames",
        flush=True,
    )


def share_near(wanted: geopandas.GeoSeries, found: list[shapely.LineString] | geopandas.GeoSeries) -> float:
    """Share of the length of `wanted` that lies within 2 cm of what was found."""
    points = shapely.points(shapely.get_coordinates(shapely.segmentize(wanted.to_numpy(), 0.01)))
    tree = shapely.STRtree(np.asarray(found))
    near = tree.query(points, predicate="dwithin", distance=NEAR_M)[0]
    return len(np.unique(near)) / len(points)


def kept_together(
    found: geopandas.GeoDataFrame, lines: list[shapely.LineString], geotiff: geopandas.GeoDataFrame
) -> tuple[float, float]:
    """Of the length of networks of the GeoTIFF that lie in several frames, the share that has not the
    network_id of most of its network: (since it parts within a frame, since it parts between frames).
    """
    found = found.assign(line=lines)
    tree = shapely.STRtree(lines)
    several = np.zeros(3)
    for _, network in geotiff.groupby("network_id"):
        points = shapely.points(
            shapely.get_coordinates(shapely.segmentize(network.geometry.to_numpy(), 0.02))
        )
        here = found.iloc[np.unique(tree.query(points, predicate="dwithin", distance=NEAR_M)[1])]
        if here.image_id.nunique() < 2:
            continue
        several[0] += here.length_m.sum()
        usual = here.network_id == here.groupby("network_id").length_m.sum().idxmax()
        for _, part in here[~usual].groupby("network_id"):
            nearest = min(
                (shapely.distance(ours, theirs), our_image != their_image)
                for ours, our_image in zip(part.line, part.image_id, strict=True)
                for theirs, their_image in zip(here[usual].line, here[usual].image_id, strict=True)
            )
            several[1 + int(nearest[1])] += part.length_m.sum()
    return float(several[1] / several[0]), float(several[2] / several[0])


def main() -> None:
    work = Path(sys.argv[1])
    work.mkdir(parents=True, exist_ok=True)
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 464
    drive = Drive(frames=count, size_px=(960, 384), gsd_mm=2.5)
    road = draw(work, drive)
    truth = true_transforms(drive, road)
    print("delivery            clock s frames  corners off: 95 %, most   neighbours off: before, after")
    for kind in DELIVERIES:
        placed(work, kind, drive, truth)
    clocks(work)
    geotiff = inspect(work, "geotiff", work / "geotiff")
    for kind in sys.argv[3:] or ["positions.csv"]:
        figures(work, kind, truth, geotiff)


if __name__ == "__main__":
    main()

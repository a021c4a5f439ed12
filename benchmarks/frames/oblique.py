"""Plan views of a camera that looks ahead: how true they are, how fast they are made, and in what memory.

    python benchmarks/frames/oblique.py truth [--frames 20]
    python benchmarks/frames/oblique.py speed WORK [--frames 6] [--threads 2]

`truth` draws frames of slots and spots on the ground, makes plan views of them and compares places, traced
lengths and measured widths with what was drawn; once more without telling the width room of the homography.

`speed` writes plan views of frames of 4000 x 3000 px as the command does, in a process of its own, and then
predicts tiles of one of them with the default weights in the default precision, in one thread. Compared are
seconds of a core for each inspected megapixel, which depend least on what else the machine does. The memory
is the peak of the process that wrote.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "support"))
from ahead import Slot, Spot, frame_of
from ahead.found import drawn, lengths_ratio, slots_in, spots_off_px, widths

from crackpipe.pipeline.frames.files.oblique import Oblique

CAMERA = Oblique(gsd_mm=4.0, focal_px=1200.0, height_m=2.4, pitch_deg=35.0, roll_deg=2.0)
SIZE_PX = (960, 1280)
WIDTHS_PX = (2.0, 3.0, 4.0, 6.0)
LARGE = Oblique(gsd_mm=1.3, focal_px=3700.0, height_m=2.4, pitch_deg=35.0, roll_deg=2.0)
LARGE_PX = (3000, 4000)


def truth(frames: int) -> None:
    spots = [
        Spot(np.array([right, ahead]), 0.012)
        for ahead in np.arange(1.6, 4.95, 0.15)
        for right in np.arange(-2.6, 2.7, 0.15)
    ]
    off = spots_off_px(drawn(CAMERA, SIZE_PX, spots, margin_px=14, texture=0, noise=0))
    print(
        f"{len(off)} spots: at most {off.max():.3f} px from the exact plane, {off.mean():.3f} px on average"
    )
    lengths, rows = [], []
    for seed in range(frames):
        slots = slots_in([4.0 * each for each in WIDTHS_PX], 2.2, 4.7, seed=seed)
        found = drawn(CAMERA, SIZE_PX, slots, margin_px=18, seed=seed)
        lengths.append(lengths_ratio(found))
        for told in (True, False):
            for slot, width in widths(found, told=told):
                error = width.width_mm / (slot.width_m * 1000) - 1
                sure = abs(width.width_mm - slot.width_m * 1000) <= 2 * width.width_sigma_mm
                rows.append((told, slot.width_m * 250, is_across(slot), error, sure, width.width_flag))
    ratio = np.concatenate(lengths)
    of_frames = np.array([each.mean() for each in lengths])
    print(
        f"{len(ratio)} lengths of .34 and .45 m: {ratio.mean() - 1:+.1%} on average, {ratio.std():.1%} "
        f"spread; of a frame together at most {np.abs(of_frames - 1).max():.1%} off"
    )
    print("\n| told | w px | view | cracks | bias | spread | within 10 % | within 2 sigma | flagged |")
    print("|---|---|---|---|---|---|---|---|---|")
    table = np.array(rows)
    for told in (1, 0):
        for width_px in WIDTHS_PX:
            for across in (1, 0):
                chosen = table[(table[:, 0] == told) & (table[:, 1] == width_px) & (table[:, 2] == across)]
                error, sure, flag = chosen[:, 3], chosen[:, 4], chosen[:, 5]
                print(
                    f"| {'yes' if told else 'no'} | {width_px:g} | {'across' if across else 'along'} | "
                    f"{len(error)} | {error.mean():+.1%} | {error.std():.1%} | "
                    f"{np.mean(np.abs(error) <= 0.1):.0%} | {sure.mean():.0%} | {flag.mean():.0%} |"
                )


def is_across(slot: Slot) -> bool:
    way = np.abs(slot.line[-1] - slot.line[0])
    return bool(way[0] > way[1])


def speed(work: Path, frames: int, threads: int) -> None:
    work.mkdir(parents=True)
    frame = frame_of(LARGE, LARGE_PX, slots_in([8.0, 16.0], 2.2, 4.7, seed=1))
    colours = np.clip(frame[..., None] + np.array([4, 0, -6]), 0, 255).astype(np.uint8)
    Image.fromarray(colours).save(work / "frame.jpg", quality=92)
    command = [sys.executable, __file__, "write", str(work), str(frames), str(threads)]
    wrote = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    seconds, core_s, peak_mb, inspected_mp, all_mp = map(float, wrote)
    print(
        f"plan views of {all_mp:.1f} MP, {inspected_mp:.1f} MP inspected: {seconds / frames:.2f} s each with "
        f"{threads} threads, {core_s / frames:.2f} s of a core, peak {peak_mb:.0f} MB"
    )
    tile_s, tiles, precision = predicted(work / "0.tif")
    print(f"network ({precision}): {tiles} tiles of {tile_s:.3f} s of a core")
    print(f"rectifying takes {tile_s * tiles / (core_s / frames):.1f} times less of a core than the network")


def write(work: Path, count: int, threads: int) -> None:
    """In a process of its own, so that its peak memory is that of writing."""
    from pyproj import CRS

    from crackpipe.pipeline.frames.files.exif import Exif
    from crackpipe.pipeline.frames.files.listing import Frame
    from crackpipe.pipeline.frames.oblique import write as writing
    from crackpipe.pipeline.frames.oblique.view import view_of
    from crackpipe.pipeline.geometry.grid import Window
    from crackpipe.pipeline.geometry.plan_view import inspected

    height, width = LARGE_PX
    view = view_of(LARGE, LARGE_PX, "camera.toml").view
    frame = Frame(name="frame.jpg", path=work / "frame.jpg", height_px=height, width_px=width, exif=Exif())
    places = np.tile([0.0013, 0.0, 500_000.0, 0.0, -0.0013, 5_400_000.0], (count, 1))
    targets = [work / f"{number}.tif" for number in range(count)]
    started, of_cores = time.perf_counter(), time.process_time()
    writing.write_plan_views([frame] * count, targets, places, CRS(25832), view, threads=threads)
    seconds, core_s = time.perf_counter() - started, time.process_time() - of_cores
    # not ru_maxrss, in which that of the parent counts
    status = Path("/proc/self/status").read_text()
    peak_mb = int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e6
    wanted = inspected(view, Window(0, 0, *view.size_px))
    print(seconds, core_s, peak_mb, wanted.sum() / 1e6, wanted.size / 1e6)


def predicted(path: Path) -> tuple[float, int, str]:
    """Seconds of a core a tile, tiles with something to inspect, and precision of the default weights."""
    import rasterio
    import torch

    from crackpipe.model.predict.predictor import Predictor
    from crackpipe.model.weights.read import load
    from crackpipe.pipeline.config import Config

    torch.set_num_threads(1)
    core, tile = 384, 448
    with rasterio.open(path) as dataset:
        rgb, valid = np.moveaxis(dataset.read(), 0, -1), dataset.dataset_mask() > 0
    cores = [
        (row, col)
        for row in range(0, valid.shape[0], core)
        for col in range(0, valid.shape[1], core)
        if valid[row : row + core, col : col + core].any()
    ]
    inner = [(r, c) for r, c in cores if r + tile <= valid.shape[0] and c + tile <= valid.shape[1]]
    batch = np.stack([rgb[r : r + tile, c : c + tile] for r, c in inner[: Config.batch]])
    predictor = Predictor(load(Config.weights), "cpu", Config.precision)
    predictor.predict(batch)
    started = time.process_time()
    for _ in range(3):
        predictor.predict(batch)
    return (time.process_time() - started) / 3 / len(batch), len(cores), predictor.precision


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    what = parser.add_subparsers(dest="what", required=True)
    of_truth, of_speed, of_write = (what.add_parser(name) for name in ("truth", "speed", "write"))
    of_truth.add_argument("--frames", type=int, default=20)
    of_speed.add_argument("work", type=Path)
    of_speed.add_argument("--frames", type=int, default=6)
    of_speed.add_argument("--threads", type=int, default=2)
    for name, kind in (("work", Path), ("frames", int), ("threads", int)):
        of_write.add_argument(name, type=kind)
    asked = vars(parser.parse_args())
    {"truth": truth, "speed": speed, "write": write}[asked.pop("what")](*asked.values())


if __name__ == "__main__":
    main()

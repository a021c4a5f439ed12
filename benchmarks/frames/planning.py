"""How long `crackpipe frames` takes for many frames, and how much memory it needs.

    python benchmarks/frames/planning.py WORK [FRAMES]

Frames are hard links of one small JPEG with positions each 2 m on a winding road; seams are not looked at.
Printed are seconds and peak memory of the command, of the same command again, and of planning a run on the
survey.
"""

import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image


def deliver(work: Path, count: int) -> None:
    frames = work / "frames"
    frames.mkdir(parents=True)
    first = work / "first.jpg"
    pixels = np.random.default_rng(1).integers(0, 255, (512, 512), dtype=np.uint8)
    Image.fromarray(pixels).save(first, quality=80)
    way = 2.0 * np.arange(count)
    lat = 53.571 + way * 1e-5 * 0.45
    lon = 9.94 + 0.002 * np.sin(way / 500)
    lines = ["filename,latitude,longitude"]
    for number in range(count):
        name = f"{number:06d}.jpg"
        (frames / name).hardlink_to(first)
        lines.append(f"{name},{lat[number]:.9f},{lon[number]:.9f}")
    (work / "positions.csv").write_text("\n".join(lines) + "\n")
    (work / "camera.toml").write_text("mm_per_px = 4.0\n")


def measured(what: str, *arguments: str) -> None:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "crackpipe", *arguments], check=True, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - started
    # of all children so far, the largest
    peak_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"{what:<28} {seconds:6.1f} s, peak so far {peak_mb:5.0f} MB", flush=True)


def main() -> None:
    work, count = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 10_000
    deliver(work, count)
    survey = str(work / "survey")
    command = ["frames", str(work / "frames"), "--positions", str(work / "positions.csv")]
    command += ["--camera", str(work / "camera.toml"), "--out", survey, "--no-seams"]
    print(f"{count} frames")
    measured("frames", *command)
    measured("frames, nothing new", *command)


if __name__ == "__main__":
    main()

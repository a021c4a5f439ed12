"""How long `crackpipe frames` takes for many frames, and how much memory it needs.

    python benchmarks/frames/planning.py WORK [FRAMES]

Frames are hard links of a small JPEG with positions each 2 m on a winding road; seams are not looked at.
Printed are seconds, seconds of a core (which other work on the machine changes less) and peak memory of the
command, of the same command again, and of planning a run on the survey.
"""

import io
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image


def deliver(work: Path, count: int) -> None:
    frames = work / "frames"
    frames.mkdir(parents=True)
    pixels = np.random.default_rng(1).integers(0, 255, (512, 512), dtype=np.uint8)
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "JPEG", quality=80)
    way = 2.0 * np.arange(count)
    lat = 53.571 + way * 1e-5 * 0.45
    lon = 9.94 + 0.002 * np.sin(way / 500)
    lines = ["filename,latitude,longitude"]
    for number in range(count):
        name = f"{number:06d}.jpg"
        # file systems allow 65,000 links of one file
        if number % 10_000 == 0:
            first = work / f"first-{number}.jpg"
            first.write_bytes(content.getvalue())
        (frames / name).hardlink_to(first)
        lines.append(f"{name},{lat[number]:.9f},{lon[number]:.9f}")
    (work / "positions.csv").write_text("\n".join(lines) + "\n")
    (work / "camera.toml").write_text("mm_per_px = 4.0\n")


# what a process that was started says of its own highest memory: that which the system tells of children
# counts the memory of their parent too
TOLD = """
import atexit, re, runpy, sys
from pathlib import Path
status = Path("/proc/self/status")
atexit.register(lambda: print(re.search(r"VmHWM:\\s+(\\d+)", status.read_text())[1], file=sys.stderr))
sys.argv[0] = "crackpipe"
runpy.run_module("crackpipe", run_name="__main__")
"""


def measured(what: str, *arguments: str) -> None:
    started, before = time.perf_counter(), os.times()
    command = [sys.executable, "-c", TOLD, *arguments]
    ended = subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    seconds, after = time.perf_counter() - started, os.times()
    cpu_s = sum(after[2:4]) - sum(before[2:4])
    peak_mb = int(ended.stderr.split()[-1]) * 1024 / 1e6
    print(f"{what:<28} {seconds:6.1f} s ({cpu_s:5.1f} s of a core), peak {peak_mb:5.0f} MB", flush=True)


def main() -> None:
    work, count = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 10_000
    deliver(work, count)
    survey = str(work / "survey")
    command = ["frames", str(work / "frames"), "--positions", str(work / "positions.csv")]
    command += ["--camera", str(work / "camera.toml"), "--out", survey, "--no-seams"]
    print(f"{count} frames")
    measured("frames", *command)
    measured("frames, nothing new", *command)
    measured("run --dry-run", "run", survey, "--dry-run")


if __name__ == "__main__":
    main()

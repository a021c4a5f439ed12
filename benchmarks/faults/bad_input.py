"""The catalogue of docs/use/bad-input.md, run for real: how each file ends, peak memory, the slowest look.

python benchmarks/faults/bad_input.py            # prints the table of docs/use/bad-input.md and the figures
"""

import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "support"))
import bad_files

from crackpipe.pipeline.config import Config
from crackpipe.pipeline.survey.load import load_survey


def peak_rss_mib(process: subprocess.Popen[str]) -> dict[str, float]:
    """Highest memory of the driver and of any one worker until the process ends, sampled every 0.1 s."""
    root, peak = psutil.Process(process.pid), {"driver": 0.0, "worker": 0.0}
    while process.poll() is None:
        for role, each in [("driver", root), *(("worker", child) for child in root.children(recursive=True))]:
            try:
                peak[role] = max(peak[role], each.memory_info().rss / 2**20)
            except psutil.NoSuchProcess:
                continue
        time.sleep(0.1)
    return peak


def escaped(text: str | None) -> str:
    # what a library says after these words changes with its version
    text = "" if text is None else re.sub(r"(cannot be decoded: |GDAL cannot open [^:]+: ).*", r"\1...", text)
    return text.replace("|", "\\|").replace("<", "&lt;")


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        survey, out = Path(scratch, "survey"), Path(scratch, "out")
        bad_files.build(survey)
        started = time.perf_counter()
        load_survey([survey], Config())
        look_s = time.perf_counter() - started
        command = [sys.executable, "-m", "crackpipe", "run", str(survey), "--out", str(out), "--workers", "1"]
        started = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        talk: list[str] = []
        reader = threading.Thread(target=lambda: talk.extend(process.communicate()))
        reader.start()
        peak = peak_rss_mib(process)
        reader.join()
        wall_s = time.perf_counter() - started
        rows = {row["image_id"]: row for row in pq.read_table(out / "images.parquet").to_pylist()}
    print("| what is wrong | ends as | sentence | remedy |")
    print("|---|---|---|---|")
    for case in bad_files.CASES:
        row = rows[bad_files.image_id_of(case)]
        ends = "done" if row["status"] == "done" else f"`{row['reason']}`"
        print(f"| {case.what} | {ends} | {escaped(row['message'])} | {escaped(row['remedy'])} |")
    print(f"\nexit code {process.returncode}; {len(rows)} files of {len(bad_files.CASES)} cases")
    print(f"looked at in {look_s:.1f} s, run in {wall_s:.1f} s")
    print(f"peak memory: driver {peak['driver']:.0f} MiB, worker {peak['worker']:.0f} MiB")


if __name__ == "__main__":
    main()

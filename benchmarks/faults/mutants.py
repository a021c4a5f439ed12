"""Mutated TIFFs, JPEGs, PNGs, world files and .prj: each is inspected and read, and is done or in quarantine.

    python benchmarks/faults/mutants.py                    # 2,000 mutants, 100 of them also in a real run
    python benchmarks/faults/mutants.py --count 200 --runs 0 --first 1400

Workers are processes of their own: one that dies is a crash, one that takes over 60 s for a mutant a hang,
one whose memory passes 1 GiB a leak, an `internal-error` a defect; each is a failure, and the exit code is 1.
After each mutant the worker inspects and reads a good image, which must look as before. The same seed gives
the same mutants; failing ones are kept in --keep.
"""

import argparse
import hashlib
import multiprocessing
import resource
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from affine import Affine

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "support"))
from bad_files import GREY, NOISE, TILES, photograph, world_file, write

from crackpipe.pipeline import run as story
from crackpipe.pipeline.config import Config
from crackpipe.pipeline.errors import ImageRejectedError
from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.image import Rejected
from crackpipe.pipeline.raster.reader import ImageReader
from crackpipe.pipeline.request import Request
from crackpipe.pipeline.survey.accept import accept_or_reject
from crackpipe.pipeline.survey.files.candidates import Candidate

TIME_LIMIT_S = 60.0
MEMORY_LIMIT_MIB = 1024.0
PLACE = Affine(0.001, 0, 500_100, 0, -0.001, 5_400_000)

# ---- what is mutated: sound files of every kind, with what lies beside them

Maker = Callable[[Path], Path]
"""Writes files into a folder; returns the one to mutate."""


def tiff(values: np.ndarray = NOISE, **profile: object) -> Maker:
    return lambda folder: write(folder / "a.tif", PLACE, values, **profile)


def picture(name: str, beside: str | None = None, **profile: object) -> Maker:
    def make(folder: Path) -> Path:
        path = photograph(folder / name, PLACE, **profile)
        return path if beside is None else path.with_suffix(beside)

    return make


def with_mask(folder: Path) -> Path:
    return write(Path(f"{write(folder / 'a.tif', PLACE)}.msk"), PLACE, GREY, compress="deflate", **TILES)


def with_tfw(folder: Path) -> Path:
    path = write(folder / "a.tif", PLACE, transform=None)
    world_file(path, PLACE)
    return path.with_suffix(".wld")


MAKERS: dict[str, Maker] = {
    "tiff plain": tiff(),
    "tiff deflate tiles": tiff(compress="deflate", **TILES),
    "tiff deflate predictor": tiff(compress="deflate", predictor=2),
    "tiff lzw bigtiff": tiff(compress="lzw", BIGTIFF="YES"),
    "tiff jpeg tiles": tiff(compress="jpeg", photometric="ycbcr", **TILES),
    "tiff zstd": tiff(compress="zstd", **TILES),
    "tiff packbits big-endian": tiff(compress="packbits", ENDIANNESS="BIG"),
    "tiff 16 bit bands": tiff(NOISE.astype(np.uint16) * 257, interleave="band"),
    "tiff one strip": tiff(compress="deflate", blockysize=120),
    "tiff palette": tiff(GREY, photometric="palette", palette={i: (i, i, i, 255) for i in range(256)}),
    "tiff nodata, tags": tiff(nodata=0, tags={"": {"TIFFTAG_DATETIME": "2025:01:01 10:00:00"}}),
    "mask": with_mask,
    "jpeg": picture("a.jpg"),
    "jpeg progressive": picture("a.jpg", PROGRESSIVE="ON"),
    "png": picture("a.png"),
    "world file of a jpeg": picture("a.jpg", ".wld"),
    "world file of a tiff": with_tfw,
    "prj": picture("a.jpg", ".prj"),
}


def mutant(number: int, seed: int, folder: Path) -> tuple[str, Path]:
    """Write mutant `number` into an empty folder; the kind of file, and the image that it belongs to."""
    random = np.random.default_rng([seed, number])
    kind = list(MAKERS)[number % len(MAKERS)]
    path = MAKERS[kind](folder)
    content = path.read_bytes()
    mutations = (digits, flip_bits, cut_off) if path.suffix in (".wld", ".prj") else MUTATIONS
    for _ in range(int(random.choice([1, 1, 1, 2, 4]))):
        content = mutations[int(random.integers(len(mutations)))](content, random)
    path.write_bytes(content)
    return kind, next(file for file in sorted(folder.iterdir()) if file.suffix in (".tif", ".jpg", ".png"))


def somewhere(content: bytes, random: np.random.Generator) -> int:
    """A position: in the first 400 bytes every third time, where headers are."""
    reach = min(len(content), 400) if random.random() < 1 / 3 else len(content)
    return int(random.integers(max(reach, 1)))


def flip_bits(content: bytes, random: np.random.Generator) -> bytes:
    changed = bytearray(content)
    for _ in range(int(random.integers(1, 4))):
        if changed:
            changed[somewhere(content, random)] ^= 1 << int(random.integers(8))
    return bytes(changed)


def extreme_number(content: bytes, random: np.random.Generator) -> bytes:
    at, size = somewhere(content, random), int(random.choice([1, 2, 4, 8]))
    values = [
        0,
        1,
        2 ** (8 * size) - 1,
        2 ** (8 * size - 1),
        2 ** (8 * size - 1) - 1,
        65536 % 2 ** (8 * size),
    ]
    number = int(values[int(random.integers(len(values)))])
    return content[:at] + number.to_bytes(size, "little") + content[at + size :]


def cut_off(content: bytes, random: np.random.Generator) -> bytes:
    return content[: somewhere(content, random)]


def remove(content: bytes, random: np.random.Generator) -> bytes:
    at = somewhere(content, random)
    return content[:at] + content[at + int(random.integers(1, 200)) :]


def insert(content: bytes, random: np.random.Generator) -> bytes:
    at = somewhere(content, random)
    return content[:at] + random.bytes(int(random.integers(1, 200))) + content[at:]


def zeros(content: bytes, random: np.random.Generator) -> bytes:
    at, count = somewhere(content, random), int(random.integers(1, 3000))
    return content[:at] + bytes(len(content[at : at + count])) + content[at + count :]


def repeat(content: bytes, random: np.random.Generator) -> bytes:
    at, to = somewhere(content, random), somewhere(content, random)
    return content[:to] + content[at : at + int(random.integers(1, 300))] + content[to:]


def digits(content: bytes, random: np.random.Generator) -> bytes:
    """For text: signs that mean something in numbers and in WKT."""
    at = somewhere(content, random)
    signs = (b"-", b"e308", b"nan", b"inf", b"\n", b"0", b"9", b'"', b"[", b"]", b",", b"\xff", b"\x00")
    return content[:at] + signs[int(random.integers(len(signs)))] + content[at + 1 :]


MUTATIONS = (flip_bits, extreme_number, cut_off, remove, insert, zeros, repeat, digits)

# ---- a worker


@dataclass(frozen=True)
class Ending:
    """How a mutant ended, after how long, with how much memory at the most."""

    kind: str
    ends: str
    seconds: float
    peak_mib: float
    failure: str = ""


def look_and_read(path: Path) -> tuple[str, str]:
    """(`done` or the reason code, hash of the pixels or the message)."""
    candidate = Candidate(path.name, path.parent.name, path, path.parent)
    image = accept_or_reject(candidate, Config())
    if isinstance(image, Rejected):
        return image.reason, image.message
    try:
        digest = hashlib.sha256()
        with ImageReader(image) as reader:
            # at most a block of the run, several times over for what says that it is large
            for window in (Window(-32, -32, 3136, 3136), Window(0, 0, 448, 448)):
                inside = window.clipped(image.height_px, image.width_px)
                for pixels in reader.read(inside):
                    digest.update(pixels.tobytes())
        return "done", digest.hexdigest()
    except ImageRejectedError as error:
        return error.reason, error.message


def work(pipe: Connection, seed: int, scratch: Path) -> None:
    good = write(scratch / "good" / "a.tif", PLACE, compress="deflate", **TILES)
    expected = look_and_read(good)
    while True:
        number = pipe.recv()
        if number is None:
            return
        folder = scratch / "mutant"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        kind, path = mutant(number, seed, folder)
        Path("/proc/self/clear_refs").write_text("5")  # starts VmHWM, the highest memory, anew
        started, failure = time.perf_counter(), ""
        ends, message = look_and_read(path)
        seconds, peak_mib = time.perf_counter() - started, highest_mib()
        if ends == "internal-error":
            failure = message
        elif peak_mib > MEMORY_LIMIT_MIB:
            failure = f"{peak_mib:.0f} MiB of memory"
        elif look_and_read(good) != expected:
            failure = "a good image looked different afterwards"
        pipe.send(Ending(kind, ends, seconds, peak_mib, failure))


def highest_mib() -> float:
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024


class Worker:
    """A process that takes numbers of mutants; started again where it died or hung."""

    def __init__(self, index: int, seed: int, scratch: Path) -> None:
        self.seed, self.scratch = seed, scratch / f"worker-{index}"
        self.number: int | None = None
        self.start()

    def start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, other = context.Pipe()
        self.process = context.Process(target=work, args=(other, self.seed, self.scratch), daemon=True)
        self.process.start()
        other.close()

    def give(self, number: int | None) -> None:
        self.number, self.since = number, time.monotonic()
        self.pipe.send(number)

    def take(self) -> Ending | None:
        """How the mutant ended, or None while it is not over."""
        if self.pipe.poll():
            try:
                ending: Ending = self.pipe.recv()
                return ending
            except EOFError:
                self.process.join()
                return self.fail("crash", f"the process ended with {self.process.exitcode}")
        # the first mutant waits for imports too
        if time.monotonic() - self.since > 2 * TIME_LIMIT_S:
            self.process.kill()
            return self.fail("hang", f"more than {TIME_LIMIT_S:.0f} s")
        return None

    def fail(self, ends: str, failure: str) -> Ending:
        assert self.number is not None
        ending = Ending(list(MAKERS)[self.number % len(MAKERS)], ends, 2 * TIME_LIMIT_S, 0.0, failure)
        self.start()
        return ending


def endings(numbers: range, seed: int, jobs: int, scratch: Path) -> Iterator[tuple[int, Ending]]:
    """How each mutant ends, as they end."""
    left = iter(numbers)
    workers = [Worker(index, seed, scratch) for index in range(jobs)]
    for worker in workers:
        worker.give(next(left, None))
    busy = [worker for worker in workers if worker.number is not None]
    while busy:
        wait([worker.pipe for worker in busy], timeout=1.0)
        for worker in busy:
            ending = worker.take()
            if ending is not None:
                assert worker.number is not None
                yield worker.number, ending
                worker.give(next(left, None))
        busy = [worker for worker in busy if worker.number is not None]
    for worker in workers:
        worker.process.join()


# ---- a real run


def neighbours_in_a_run(numbers: range, seed: int, scratch: Path) -> list[str]:
    """A survey of good images and mutants, run for real: what is wrong with the good images' rows."""
    found = []
    for name, mutants in (("alone", range(0)), ("beside", numbers)):
        survey = scratch / name / "survey"
        for index in range(3):
            turned = np.roll(NOISE, 40 * index, axis=2)
            write(
                survey / f"good-{index}.tif", Affine(0.001, 0, 500_000 + index, 0, -0.001, 5_400_000), turned
            )
        for number in mutants:
            folder = survey / f"mutant-{number}"
            folder.mkdir()
            mutant(number, seed, folder)
        story.run(Request((survey,), scratch / name / "out", Config(), serial=True))
        tables = [
            pq.read_table(scratch / name / "out" / f"{table}.parquet").to_pylist()
            for table in ("cracks", "images")
        ]
        found.append([[row for row in rows if row["image_id"].startswith("good")] for rows in tables])
        ended = Counter(str(row["reason"] or "done") for row in tables[1])
    print(f"\na run over {len(numbers)} mutants and 3 good images: {dict(sorted(ended.items()))}")
    failures = [] if found[0] == found[1] else ["a good image has other rows beside mutants"]
    return failures + (["internal-error in the run"] if "internal-error" in ended else [])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--first", type=int, default=0, help="number of the first mutant")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--runs", type=int, default=100, help="mutants that are also in a real run")
    parser.add_argument("--keep", type=Path, default=Path("mutants-that-failed"))
    options = parser.parse_args()
    failures: list[str] = []
    table: dict[str, Counter[str]] = {kind: Counter() for kind in MAKERS}
    slowest, largest = 0.0, 0.0
    numbers = range(options.first, options.first + options.count)
    with tempfile.TemporaryDirectory() as scratch:
        for number, ending in endings(numbers, options.seed, options.jobs, Path(scratch)):
            table[ending.kind][ending.ends] += 1
            slowest, largest = max(slowest, ending.seconds), max(largest, ending.peak_mib)
            if ending.failure:
                failures.append(f"mutant {number} ({ending.kind}): {ending.ends}: {ending.failure}")
                (options.keep / str(number)).mkdir(parents=True, exist_ok=True)
                mutant(number, options.seed, options.keep / str(number))
        if options.runs:
            runs = numbers[: options.runs]
            failures += neighbours_in_a_run(runs, options.seed, Path(scratch))
    every = sorted(
        {ends for counts in table.values() for ends in counts}, key=lambda ends: (ends != "done", ends)
    )
    print(f"\n| what was mutated | {' | '.join(every)} |")
    print("|---" * (len(every) + 1) + "|")
    for kind, counts in table.items():
        print(f"| {kind} | {' | '.join(str(counts[ends] or '') for ends in every)} |")
    print(f"| all | {' | '.join(str(sum(counts[ends] for counts in table.values())) for ends in every)} |")
    cpu_s = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    print(
        f"\n{options.count} mutants, seed {options.seed}: slowest {slowest:.2f} s, memory {largest:.0f} MiB"
    )
    print(f"CPU time of the workers {cpu_s:.0f} s")
    print("\n".join(failures) or "no crash, no hang, no defect, good images as before")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

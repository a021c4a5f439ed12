"""Kill the driver or a worker at random moments, run again until it is through, compare every byte.

    python benchmarks/faults/kills.py [--kills 50] [--seed 1]

The output already holds an earlier result of the same survey with another threshold, so that all is done
again under readers' eyes: both tables are opened at every poll and must be the earlier ones or the new ones,
whole. Three kinds of kills are drawn: the driver of a run in one process, the driver of a run with a worker
process, and the worker, whose driver must go on by itself. When a run comes through, the output must be
byte-identical to the undisturbed one, without litter, and `verify` must find nothing; then it starts from
the earlier result. A block that was finished when a run was killed must never be computed again: its chunks
keep their inode and time.

Exits 1 if anything of this does not hold.
"""

import argparse
import hashlib
import io
import random
import shutil
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import fault_kit as kit
import pyarrow as pa
import pyarrow.parquet as pq

TABLES = ("cracks.parquet", "images.parquet")
KINDS = ("driver, one process", "driver, one process", "driver", "worker")
SIZES = [(300, 420), (420, 300), (800, 420), (1500, 400), (300, 300), (250, 500)]
TASKS = ("--threshold", "0.4")
EARLIER = ("--threshold", "0.6")
PATIENCE_S = 900.0  # a run takes seconds on a machine with nothing else to do


class Reader(threading.Thread):
    """Opens both tables again and again, as a reader beside the run would."""

    def __init__(self, out: Path, allowed: dict[str, set[str]]) -> None:
        super().__init__(daemon=True)
        self.out, self.allowed = out, allowed
        self.polls = 0
        self.wrong: list[str] = []
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.wait(0.02):
            for name in TABLES:
                try:
                    content = (self.out / name).read_bytes()
                    pq.read_table(io.BytesIO(content))
                except (OSError, pa.ArrowException) as error:
                    self.wrong.append(f"{name}: {type(error).__name__}: {error}")
                    continue
                if hashlib.sha256(content).hexdigest() not in self.allowed[name]:
                    self.wrong.append(f"{name} is neither the earlier nor the new one")
                self.polls += 1


def finished_chunks(out: Path, survey: Path) -> dict[str, tuple[int, int]]:
    """Inode and time of the chunks of every finished block, by image and chunk."""
    from crackpipe.pipeline.state.output import Output
    from crackpipe.pipeline.storage.sealed import read_sealed

    output = Output(out)
    found: dict[str, tuple[int, int]] = {}
    for image in sorted(survey.rglob("*.tif")):
        image_id = image.relative_to(survey).as_posix()
        staging = output.staging(image_id)
        published, group = not staging.exists(), staging / "masks"
        marked = {path.name for path in (staging / "blocks").glob("*-*[0-9]")}
        if published:
            marker = read_sealed(output.marker(image_id))
            if marker is None or marker["fingerprint"]["threshold"] != _new_threshold():
                continue
            group = output.masks_of(image_id)
        for chunk in group.glob("*/c/*/*"):
            row, col = (int(part) * 384 for part in chunk.parts[-2:])
            if published or f"{row}-{col}" in marked:  # a chunk without its block's mark was cut short
                stat = chunk.stat()
                found[f"{image_id}/{'/'.join(chunk.parts[-4:])}"] = (stat.st_ino, stat.st_mtime_ns)
    return found


def _new_threshold() -> int:
    return -int(-254 * float(TASKS[1]) // 1)


class Bench:
    def __init__(self, folder: Path, seed: int) -> None:
        self.random = random.Random(seed)
        self.out, self.earlier, self.log = folder / "out", folder / "earlier", folder / "log"
        self.survey = kit.write_survey(folder / "survey", SIZES)
        kit.load_network(self.survey, self.out)
        self.config = folder / "crackpipe.toml"
        self.config.write_text("block_cores = 1\nunit_tiles = 2\n")
        self.wrong: list[str] = []
        self.kills: Counter[str] = Counter()
        self.recomputed = self.rounds = self.polls = 0
        self.complete(EARLIER, "--serial")
        shutil.copytree(self.out, self.earlier)
        before = kit.published(self.out)
        self.seconds = {"--serial": self.complete(TASKS, "--serial")}
        self.undisturbed = kit.published(self.out)
        self.start_over()
        self.seconds["--workers=1"] = self.complete(TASKS, "--workers=1")
        if kit.published(self.out) != self.undisturbed:
            self.wrong.append("one worker process gives other bytes than none")
        self.allowed = {name: {before[name], self.undisturbed[name]} for name in TABLES}

    def start_over(self) -> None:
        shutil.rmtree(self.out)
        shutil.copytree(self.earlier, self.out)

    def start(self, threshold: tuple[str, str], how: str) -> kit.Run:
        arguments = ("run", self.survey, "--out", self.out, "--config", self.config, *threshold, how)
        return kit.start(arguments, self.log)

    def complete(self, threshold: tuple[str, str], how: str) -> float:
        started = time.monotonic()
        run = self.start(threshold, how)
        assert run.wait(PATIENCE_S) == 0, run.talk()
        return time.monotonic() - started

    def round(self, kills: int) -> None:
        """Kill and resume until a run comes through."""
        self.start_over()
        reader = Reader(self.out, self.allowed)
        reader.start()
        done: dict[str, tuple[int, int]] = {}
        while sum(self.kills.values()) < kills:
            kind = self.random.choice(KINDS)
            how = "--serial" if kind.endswith("one process") else "--workers=1"
            run = self.start(TASKS, how)
            at = time.monotonic() + self.random.uniform(0.0, 1.1) * self.seconds[how]
            while time.monotonic() < at and run.poll() is None:
                time.sleep(0.005)
            if run.poll() is None:
                self.kill(run, kind)
            self.compare_chunks(done)
            if run.status == 0:
                break
            if run.status != -9:
                self.wrong.append(f"after the kill of a {kind}: exit {run.status}: {run.talk()[-3000:]}")
        if run.status != 0:
            self.complete(TASKS, "--serial")
            self.compare_chunks(done)
        reader.over.set()
        reader.join()
        self.polls += reader.polls
        self.wrong += sorted(set(reader.wrong))
        self.compare()
        self.rounds += 1

    def kill(self, run: kit.Run, kind: str) -> None:
        workers = kit.workers_of(run.pid)
        if kind == "worker":
            if not workers:  # not started yet, or done
                run.wait(PATIENCE_S)
                return
            kit.os.kill(self.random.choice(workers), 9)
            self.kills[kind] += 1
            run.wait(PATIENCE_S)
            return
        run.kill()
        self.kills[kind] += 1
        run.wait(10)
        deadline = time.monotonic() + 10
        while any(Path(f"/proc/{pid}").exists() for pid in workers):
            if time.monotonic() > deadline:
                self.wrong.append("workers outlive their driver by more than 10 s")
                break
            time.sleep(0.05)

    def compare_chunks(self, done: dict[str, tuple[int, int]]) -> None:
        """Count finished blocks that were computed again."""
        now = finished_chunks(self.out, self.survey)
        self.recomputed += sum(now.get(name) != stamp for name, stamp in done.items())
        done.clear()
        done.update(now)

    def compare(self) -> None:
        now = kit.published(self.out)
        names = sorted(set(now) | set(self.undisturbed))
        self.wrong += [f"differs: {name}" for name in names if now.get(name) != self.undisturbed.get(name)]
        self.wrong += [f"litter: {name}" for name in kit.litter(self.out)]
        checked = kit.crackpipe("verify", self.out, log=self.log)
        if checked.status != 0:
            self.wrong.append(f"verify: {checked.talk()}")


def bench(folder: Path, kills: int, seed: int) -> Bench:
    """Run it; what is in `wrong` did not hold."""
    kit.warm_up()
    made = Bench(folder, seed)
    while sum(made.kills.values()) < kills:
        known = len(made.wrong)
        made.round(kills)
        for text in made.wrong[known:]:
            print(text)
        print(f"{sum(made.kills.values())} kills, {made.rounds} rounds, {len(made.wrong)} wrong", flush=True)
    if made.recomputed:
        made.wrong.append(f"{made.recomputed} chunks of finished blocks were computed again")
    return made


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with kit.workplace("kills") as folder:
        made = bench(folder, options.kills, options.seed)
    for text in made.wrong:
        print(text)
    kinds = ", ".join(f"{count} of the {kind}" for kind, count in sorted(made.kills.items()))
    print(f"{sum(made.kills.values())} kills ({kinds}) in {made.rounds} rounds that came through")
    print(
        f"undisturbed {made.seconds['--serial']:.1f} s in one process, "
        f"{made.seconds['--workers=1']:.1f} s with a worker"
    )
    print(f"{made.polls} polls of the tables, {made.recomputed} chunks of finished blocks computed again")
    print(f"{len(made.wrong)} wrong")
    return 1 if made.wrong else 0


if __name__ == "__main__":
    sys.exit(main())

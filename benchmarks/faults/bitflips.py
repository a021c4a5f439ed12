"""Damage a published output at random; `crackpipe verify` must find each damage.

    python benchmarks/faults/bitflips.py [--flips 1000] [--seed 1]

Each time one file below the output is drawn, all with the same chance, and a bit of it is flipped, it is cut
off somewhere, or it is removed. Not drawn are logs, the lock's files and `survey.json`, which `verify` does
not cover. What was found is printed by kind of file; exits 1 if anything was missed, or if the sound output
is complained of. A missing `run.json` counts as found where it is told as a note, for an interrupted run
leaves that too.
"""

import argparse
import random
import sys
from collections import Counter
from pathlib import Path

import fault_kit as kit

SIZES = [(300, 420), (800, 420), (300, 300)]


def damage(path: Path, draw: random.Random) -> str:
    """Harm a file; how."""
    content = bytearray(path.read_bytes())
    how = draw.choices(["flipped", "cut off", "removed"], [8, 1, 1])[0]
    if how == "flipped" and content:
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        path.write_bytes(content)
    elif how == "cut off" and content:
        path.write_bytes(content[: draw.randrange(len(content))])
    else:
        path.unlink()
    return how


def covered_files(out: Path) -> list[Path]:
    """What `verify` looks at for damage. Styles may be edited: a change there is a note."""
    others = ("lock", "writers", "survey.json", "exports.json")
    return sorted(
        path
        for path in out.rglob("*")
        if path.is_file() and "logs" not in path.parts and path.name not in others and path.suffix != ".qml"
    )


def kind_of(path: str) -> str:
    if path.startswith("masks.zarr"):
        return "metadata in masks.zarr" if path.endswith("zarr.json") else "chunk"
    return path if path.count("/") == 0 else path.split("/")[1]


def bench(folder: Path, flips: int, seed: int) -> tuple[Counter[tuple[str, str]], list[str]]:
    """Damages by kind of file and way; what was missed."""
    from crackpipe.pipeline.config import Config
    from crackpipe.pipeline.operate.verify import verify
    from crackpipe.pipeline.request import Request
    from crackpipe.pipeline.run import run

    survey, out = kit.write_survey(folder / "survey", SIZES), folder / "out"
    run(Request((survey,), out, Config(block_cores=1), serial=True))
    covered = covered_files(out)
    assert not verify(out).findings, verify(out).findings
    draw = random.Random(seed)
    seen: Counter[tuple[str, str]] = Counter()
    missed = []
    for _ in range(flips):
        path = draw.choice(covered)
        content, name = path.read_bytes(), path.relative_to(out).as_posix()
        how = damage(path, draw)
        seen[kind_of(name), how] += 1
        found = verify(out)
        if not found.findings and not found.notes:
            missed.append(f"missed: {name} {how}")
        path.write_bytes(content)
    assert not verify(out).findings, verify(out).findings
    return seen, missed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--flips", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with kit.workplace("bitflips") as folder:
        seen, missed = bench(folder, options.flips, options.seed)
    for kind in sorted({kind for kind, _ in seen}):
        print(
            f"{kind}: " + ", ".join(f"{count} {how}" for (k, how), count in sorted(seen.items()) if k == kind)
        )
    for text in missed:
        print(text)
    print(f"{seen.total()} damages, {seen.total() - len(missed)} found, {len(missed)} missed")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())

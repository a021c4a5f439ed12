"""Let the Nth change of an output fail, for every N of a run; each run completes identically or ends with 74.

    python benchmarks/faults/writes.py [--step 1] [--errors ENOSPC,EIO]

The output already holds an earlier result; one image of the survey has changed and one is new. For each N
the run starts from that output and the Nth change below it (creating, writing, flushing, renaming, removing a
file or a folder) fails: with ENOSPC and every later one too, as on a full disk, or once with EIO. Then must
hold:

    exit 0   both tables and all masks are those of an undisturbed run
    exit 74  tables are the earlier ones or the undisturbed run's, `verify` finds no damage, and the same
             command again gives the bytes of the undisturbed run and leaves no litter

What a failed run leaves is judged once: an output that equals an earlier one, file by file, is not judged
again. Exits 1 if any N does otherwise.
"""

import argparse
import errno
import shutil
import sys
from collections import Counter
from pathlib import Path

import fault_kit as kit

TABLES = ("cracks.parquet", "images.parquet")
STAYS = {errno.ENOSPC: True, errno.EDQUOT: True, errno.EROFS: True, errno.EIO: False}
EXPECTED = {errno.ENOSPC: 74, errno.EDQUOT: 74, errno.EIO: 74, errno.EROFS: 73}


class Bench:
    """An earlier output, the survey as it is now, and what an undisturbed run makes of it."""

    def __init__(self, folder: Path, faults: kit.Faults) -> None:
        self.faults = faults
        self.survey = folder / "survey"
        self.out = folder / "out"
        self.earlier = folder / "earlier"
        self.log = folder / "log"
        kit.write_survey(self.survey, [(300, 300), (200, 380)])
        kit.load_network(self.survey, self.out)
        faults.arm(0, 0, stays=False)
        assert self.run() == 0, self.talk()
        shutil.copytree(self.out, self.earlier)
        self.earlier_published = kit.published(self.out)
        kit.write_image(self.survey / "lane0" / "0001.tif", 200, 380, seed=77, east_m=3.0)
        kit.write_image(self.survey / "lane1" / "0002.tif", 260, 300, seed=78, east_m=6.0)
        faults.arm(0, 0, stays=False)
        assert self.run() == 0, self.talk()
        self.changes = faults.count
        self.undisturbed = kit.published(self.out)
        self.judged: dict[str, list[str]] = {}

    def run(self) -> int:
        return kit.crackpipe(
            "run", self.survey, "--out", self.out, "--serial", log=self.log, timeout_s=120
        ).wait(1)

    def talk(self) -> str:
        return self.log.read_text()

    def try_nth(self, nth: int, error: int) -> tuple[int, list[str]]:
        """Exit code, and what is wrong."""
        shutil.rmtree(self.out)
        shutil.copytree(self.earlier, self.out)
        self.faults.arm(nth, error, stays=STAYS[error])
        code = self.run()
        self.faults.arm(0, 0, stays=False)
        if code == 0:
            return code, self.differences()
        wrong = [] if code == EXPECTED[error] else [f"exit {code}: {self.talk()[-2000:]}"]
        state = kit.state(self.out)
        if state not in self.judged:
            self.judged[state] = self.judge()
        return code, wrong + self.judged[state]

    def judge(self) -> list[str]:
        """What is wrong with what a failed run left, and with the next run over it."""
        wrong = self.damage()
        again = self.run()
        if again != 0:
            return [*wrong, f"the next run exits {again}: {self.talk()[-2000:]}"]
        return wrong + [f"after the next run: {text}" for text in self.differences()]

    def differences(self) -> list[str]:
        """From the undisturbed run, and litter."""
        now = kit.published(self.out)
        names = sorted(set(now) | set(self.undisturbed))
        different = [name for name in names if now.get(name) != self.undisturbed.get(name)]
        return [f"differs: {name}" for name in different] + [
            f"litter: {name}" for name in kit.litter(self.out)
        ]

    def damage(self) -> list[str]:
        now = kit.published(self.out)
        wrong = [
            f"{name} is neither the earlier nor the new one"
            for name in TABLES
            if now.get(name) not in (self.earlier_published[name], self.undisturbed[name])
        ]
        checked = kit.crackpipe("verify", self.out, log=self.log, timeout_s=60)
        if checked.wait(1) != 0:
            wrong.append(f"verify: {self.talk()}")
        return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--first", type=int, default=1, help="begin with this change")
    parser.add_argument(
        "--last", type=int, default=sys.maxsize, help="end with this change; default: the run's last"
    )
    parser.add_argument("--step", type=int, default=1, help="try every STEPth change only")
    parser.add_argument("--errors", default="ENOSPC,EIO", help="of ENOSPC, EDQUOT, EIO, EROFS")
    parser.add_argument("--folder", type=Path, help="where to work; default: a temporary folder")
    options = parser.parse_args()
    with kit.workplace("writes") as temporary:
        folder = options.folder or temporary
        folder.mkdir(parents=True, exist_ok=True)
        if options.folder is None:
            sys.argv += ["--folder", str(folder)]
        faults = kit.build_faults(folder, folder / "out")
        kit.preloaded(faults.environment)
        kit.warm_up()
        bench = Bench(folder, faults)
        failed = 0
        for name in options.errors.split(","):
            codes: Counter[int] = Counter()
            for nth in range(options.first, min(options.last, bench.changes) + 1, options.step):
                code, wrong = bench.try_nth(nth, getattr(errno, name))
                codes[code] += 1
                failed += bool(wrong)
                for text in wrong:
                    print(f"{name} at change {nth}, exit {code}: {text}", flush=True)
            counts = ", ".join(f"{count} x exit {code}" for code, count in sorted(codes.items()))
            print(f"{name}: {sum(codes.values())} of {bench.changes} changes tried: {counts}", flush=True)
        print(f"{len(bench.judged)} different outputs of failed runs judged")
    print(f"{failed} wrong")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

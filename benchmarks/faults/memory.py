"""Runs with less and less memory: each gives the same bytes, or sets images aside as `out-of-memory`.

    python benchmarks/faults/memory.py [--steps 12]

The driver works in one process, whose address space is limited (RLIMIT_AS) to what it has when it starts and
a number of MiB more that shrinks from run to run. Allowed are exit 0 with the bytes of the undisturbed run;
exit 3 with nothing but `out-of-memory` in quarantine and the other images' masks as in the undisturbed run;
exit 71, the driver's own memory is short; and an abort by the C library (127 or a signal), which nobody can
catch. After each of them `retry-quarantined` and a run without limit must give the undisturbed bytes. Exits 1
if not.
"""

import argparse
import os
import resource
import shutil
import sys
from pathlib import Path

import fault_kit as kit
import psutil

SIZES = [(300, 420), (3000, 800), (300, 300)]


class Bench:
    def __init__(self, folder: Path) -> None:
        self.survey = kit.write_survey(folder / "survey", SIZES)
        self.out, self.log = folder / "out", folder / "log"
        assert self.run() == 0, self.log.read_text()
        self.undisturbed = kit.published(self.out)
        self.wrong: list[str] = []

    def run(self, more_mib: int | None = None) -> int:
        arguments = ("run", self.survey, "--out", self.out, "--serial")
        if more_mib is None:
            return kit.crackpipe(*arguments, log=self.log).wait(1)
        pid = os.fork()
        if pid == 0:
            limit = psutil.Process().memory_info().vms + (more_mib << 20)
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
            os._exit(kit.crackpipe(*arguments, log=self.log).wait(1) % 256)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def try_with(self, more_mib: int) -> str:
        """What happened."""
        shutil.rmtree(self.out)
        code = self.run(more_mib)
        talk = self.log.read_text(errors="replace")
        reasons = {line.split(": ")[1] for line in talk.splitlines() if line.startswith("  lane")}
        now = kit.published(self.out) if self.out.exists() else {}
        masks = {name: value for name, value in now.items() if name.startswith("masks.zarr")}
        if code == 0 and now != self.undisturbed:
            self.wrong.append(f"{more_mib} MiB: exit 0 with other bytes")
        if code not in (0, 3, 71, 127) and code < 128:
            self.wrong.append(f"{more_mib} MiB: exit {code}: {talk[-2000:]}")
        if code == 3 and reasons != {"out-of-memory"}:
            self.wrong.append(f"{more_mib} MiB: exit 3 for {sorted(reasons)}")
        if code in (0, 3) and any(self.undisturbed.get(name) != value for name, value in masks.items()):
            self.wrong.append(f"{more_mib} MiB: masks differ")
        kit.crackpipe("retry-quarantined", self.out, log=self.log)
        if self.run() != 0 or kit.published(self.out) != self.undisturbed or kit.litter(self.out):
            self.wrong.append(
                f"{more_mib} MiB: the next run does not complete it: {self.log.read_text()[-2000:]}"
            )
        last = talk.strip().splitlines()[-1] if talk.strip() else ""
        return f"exit {code} {sorted(reasons) or ''} {last if code not in (0, 3) else ''}".strip()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--from-mib", type=int, default=1600, help="the first limit; each next is 0.7 of it")
    options = parser.parse_args()
    with kit.workplace("memory") as folder:
        kit.warm_up()
        bench = Bench(folder)
        for step in range(options.steps):
            more_mib = round(options.from_mib * 0.7**step)
            print(f"{more_mib} MiB more: {bench.try_with(more_mib)}", flush=True)
    for text in bench.wrong:
        print(text)
    print(f"{len(bench.wrong)} wrong")
    return 1 if bench.wrong else 0


if __name__ == "__main__":
    sys.exit(main())

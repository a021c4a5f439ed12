"""Runs with less and less memory: each gives the same bytes, or sets images aside.

    python benchmarks/faults/memory.py [--steps 12]
    mkdir /sys/fs/cgroup/memory/crackpipe    # as root; with cgroup version 2, /sys/fs/cgroup/crackpipe
    python benchmarks/faults/memory.py --cgroup /sys/fs/cgroup/memory/crackpipe --from-mib 800 --factor 0.9

The driver works in one process, whose address space is limited (RLIMIT_AS) to what it has when it starts and
a number of MiB more that shrinks from run to run. Allowed are exit 0 with the bytes of the undisturbed run;
exit 3 with nothing but `out-of-memory` in quarantine and the other images' masks as in the undisturbed run;
exit 71, the driver's own memory is short; and an abort by the C library (127 or a signal), which nobody can
catch.

With `--cgroup`, an empty control group that may be written, driver and one worker process share its memory,
and the kernel kills one of them where it does not suffice. The driver is kept from seeing that limit, since
it would refuse to start. Then `worker-died` is allowed in quarantine too, 69 where no worker lives long
enough to start, and a driver that was killed.

After each of them `retry-quarantined` and a run without limit must give the undisturbed bytes. Exits 1 if
not.
"""

import argparse
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import fault_kit as kit
import psutil

SIZES = [(300, 420), (3000, 800), (300, 300)]
ENTER = 'echo $$ > "$0" && exec "$@"'
UNAWARE = (
    "from crackpipe.pipeline.cluster import limits; limits._memory_limits = lambda group: (); "
    "from crackpipe.cli import main; main()"
)


class Cgroup:
    """A control group, of version 2 or 1, for processes that may together use so much memory."""

    def __init__(self, folder: Path) -> None:
        self.processes = folder / "cgroup.procs"
        first = not (folder / "memory.max").exists()
        self.limit = folder / ("memory.limit_in_bytes" if first else "memory.max")
        self.events = folder / ("memory.oom_control" if first else "memory.events")
        if not self.limit.exists() or self.processes.read_text():
            raise SystemExit(
                f"{folder} is no empty control group with the memory controller: make one as root"
            )

    def run(self, arguments: tuple[object, ...], limit_mib: int, log: Path) -> int:
        """Exit code of `crackpipe ARGUMENTS` in a process of its own: a fork's memory is its parent's."""
        self.limit.write_text(str(limit_mib << 20))
        command = [sys.executable, "-c", UNAWARE, *map(str, arguments)]
        with log.open("w") as talk:
            return subprocess.run(
                ["sh", "-c", ENTER, str(self.processes), *command],
                stdout=talk, stderr=talk, timeout=900, check=False,
            ).returncode  # fmt: skip

    def kills(self) -> int:
        """By the kernel, so far."""
        counts = dict(line.split() for line in self.events.read_text().splitlines())
        return int(counts["oom_kill"])


class Bench:
    def __init__(self, folder: Path, cgroup: Cgroup | None) -> None:
        self.survey = kit.write_survey(folder / "survey", SIZES)
        self.out, self.log = folder / "out", folder / "log"
        self.cgroup = cgroup
        assert self.run() == 0, self.log.read_text()
        self.undisturbed = kit.published(self.out)
        self.wrong: list[str] = []
        self.codes = {0, 3, 71, 127} if cgroup is None else {0, 3, 69, 71}
        self.reasons = {"out-of-memory"} if cgroup is None else {"out-of-memory", "worker-died"}

    def run(self, mib: int | None = None) -> int:
        """Exit code of a run, with no limit or with one."""
        arguments = ("run", self.survey, "--out", self.out)
        if mib is None:
            return kit.crackpipe(*arguments, "--serial", log=self.log).wait(1)
        if self.cgroup is not None:
            return self.cgroup.run((*arguments, "--workers", 1), mib, self.log)
        pid = os.fork()
        if pid == 0:
            limit = psutil.Process().memory_info().vms + (mib << 20)
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
            os._exit(kit.crackpipe(*arguments, "--serial", log=self.log).wait(1) % 256)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def try_with(self, mib: int) -> str:
        """What happened."""
        shutil.rmtree(self.out)
        kills = self.cgroup.kills() if self.cgroup else 0
        code = self.run(mib)
        talk = self.log.read_text(errors="replace")
        reasons = {line.split(": ")[1] for line in talk.splitlines() if line.startswith("  lane")}
        self.compare(mib, code, reasons, talk)
        kit.crackpipe("retry-quarantined", self.out, log=self.log)
        if self.run() != 0 or kit.published(self.out) != self.undisturbed or kit.litter(self.out):
            self.wrong.append(f"{mib} MiB: the next run does not complete it: {self.log.read_text()[-2000:]}")
        last = talk.strip().splitlines()[-1] if talk.strip() and code not in {0, 3} else ""
        killed = f"{self.cgroup.kills() - kills} killed by the kernel" if self.cgroup else ""
        return " ".join(filter(None, (f"exit {code}", ", ".join(sorted(reasons)), killed, last)))

    def compare(self, mib: int, code: int, reasons: set[str], talk: str) -> None:
        now = kit.published(self.out) if self.out.exists() else {}
        masks = {name: value for name, value in now.items() if name.startswith("masks.zarr")}
        # of a signal, here or in the fork's own exit code
        if code not in self.codes and 0 <= code < 128:
            self.wrong.append(f"{mib} MiB: exit {code}: {talk[-2000:]}")
        if code == 0 and now != self.undisturbed:
            self.wrong.append(f"{mib} MiB: exit 0 with other bytes")
        if code == 3 and not reasons <= self.reasons:
            self.wrong.append(f"{mib} MiB: exit 3 for {sorted(reasons)}")
        if code in {0, 3} and any(self.undisturbed.get(name) != value for name, value in masks.items()):
            self.wrong.append(f"{mib} MiB: masks differ")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--from-mib", type=int, default=1600, help="the first limit")
    parser.add_argument("--factor", type=float, default=0.7, help="each next limit is so much of it")
    parser.add_argument("--cgroup", type=Path, help="limit the memory of driver and worker in this group")
    options = parser.parse_args()
    with kit.workplace("memory") as folder:
        kit.warm_up()
        bench = Bench(folder, Cgroup(options.cgroup) if options.cgroup else None)
        for step in range(options.steps):
            mib = round(options.from_mib * options.factor**step)
            print(f"{mib} MiB: {bench.try_with(mib)}", flush=True)
    for text in bench.wrong:
        print(text)
    print(f"{len(bench.wrong)} wrong")
    return 1 if bench.wrong else 0


if __name__ == "__main__":
    sys.exit(main())

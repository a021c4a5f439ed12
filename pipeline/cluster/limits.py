"""Cores, memory and disk that this process may use, and what limits them.

A container or a systemd unit is a control group (cgroup), and so is what it lies in: the tightest of them all
counts. Version 2 has one tree of groups, version 1 has one for each kind of resource, and a machine may have
both. /proc/self/cgroup names the group of this process, /proc/self/mountinfo says where its files are. Inside
a container often only a part of the tree can be seen, or nothing but the group itself, as the root.

Dask reads control groups too (`dask.system`, `distributed.system`), but of version 1 only those in folders of
two fixed names, of no version the groups above, nothing of what is in use already; and it takes `memory.low`,
which is a promise, for a limit.

`root` is the folder in which `proc` and `sys` lie; another one is for tests.
"""

import math
import os
import resource
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

_ROOT = Path("/")

ULIMIT = {"address space": "-v", "data": "-d"}
"""What `of_each_process` tells of -> the option of `ulimit` that sets it."""


@dataclass(frozen=True)
class Cores:
    """Cores that this process may use."""

    usable: float
    """Cores' worth of time; a quota may be a part of one."""
    machine: int
    """Cores of the machine."""
    by: str
    """What limits them, such as `cgroup cpu.max`; empty where nothing does."""

    @property
    def processes(self) -> int:
        """How many processes can keep them busy: a part of a core counts as one, as Dask does it."""
        return max(1, math.ceil(self.usable))


@dataclass(frozen=True)
class Memory:
    """Memory that this process and its children may use together, bytes."""

    limit: int
    limit_by: str
    """What sets the limit: `machine`, or a file such as `cgroup memory.max`."""
    free: int
    """What can still be had. Caches of files count as free, swap does not: a network in swap takes hours."""
    free_by: str
    """What limits that; as a rule the same."""


@dataclass(frozen=True)
class Disk:
    """Space on the file system of a folder."""

    free: int
    """Bytes that this user may write. Many file systems take the user's quota into account, not all."""
    files: int | None
    """How many files this user may make there; None where the file system has no limit."""


def cores(root: Path = _ROOT) -> Cores:
    """The cores of the machine, less what affinity (`taskset`, cpuset) and control groups take away."""
    machine = os.cpu_count() or 1
    found = [(float(machine), "")]
    if hasattr(os, "sched_getaffinity"):
        found.append((float(len(os.sched_getaffinity(0))), "CPU affinity"))
    for group in _groups(root, "cpu"):
        found += _quotas(group)
    usable, by = min(found, key=lambda each: each[0])
    return Cores(usable, machine, by)


def memory(root: Path = _ROOT) -> Memory:
    """The memory of the machine, less what control groups and other processes take away."""
    machine = psutil.virtual_memory()
    found = [(machine.total, machine.available, "machine")]
    for group in _groups(root, "memory"):
        found += _memory_limits(group)
    limit, _, limit_by = min(found, key=lambda each: each[0])
    _, free, free_by = min(found, key=lambda each: each[1])
    return Memory(limit, limit_by, max(0, free), free_by)


def of_each_process() -> Iterator[tuple[str, int]]:
    """What limits each process by itself, this one and its children: `address space` or `data`, and bytes.

    `ulimit -v` and `ulimit -d` set these. They count what is reserved, which is more than what is used.
    """
    for name, kind in (("address space", resource.RLIMIT_AS), ("data", resource.RLIMIT_DATA)):
        soft, _ = resource.getrlimit(kind)
        if soft != resource.RLIM_INFINITY:
            yield name, soft


def why_too_short(error: MemoryError | ImportError) -> str | None:
    """The limit of `of_each_process` that an allocation or a library did not fit into, and what to do.

    None for other errors, and where there is no such limit. A torch for GPUs reserves 3 GiB of address space
    when it is imported.
    """
    limit = next(of_each_process(), None)
    if isinstance(error, ImportError) and "failed to map segment" not in str(error):  # the linker's words
        limit = None
    return limit and f"Each process may {at_most(*limit)}"


def at_most(kind: str, most: int) -> str:
    """The end of a sentence: what a process may reserve, of a kind of `of_each_process`, and the remedy."""
    return (
        f"reserve {most / 2**20:,.0f} MiB of {kind} (ulimit {ULIMIT[kind]}). Allow it more, "
        f"`ulimit {ULIMIT[kind]} unlimited`, and run again."
    )


def disk(folder: Path) -> Disk:
    """Space for this user where the folder lies. Raises OSError."""
    about = os.statvfs(folder)
    # without the share that a file system keeps for root, which root in a container may not have either
    return Disk(about.f_bavail * about.f_frsize, about.f_favail if about.f_files else None)


# ---- control groups


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """The folders of this process's control group and of all above it that can be seen, of both versions."""
    own = _own_groups(root)
    for mount, mounted, kind, options in _mounts(root):
        if kind == "cgroup2":
            name = ""
        elif kind == "cgroup" and controller in options:
            name = controller
        else:
            continue
        if name in own:
            folder = _visible(root, mount, mounted, own[name])
            top = root / mount.lstrip("/")
            yield from (each for each in (folder, *folder.parents) if each == top or top in each.parents)


def _own_groups(root: Path) -> dict[str, str]:
    """Path of this process's group for each controller of version 1; for version 2 the key is empty."""
    lines = [line.split(":", 2) for line in _text(root / "proc/self/cgroup").splitlines()]
    return {name: path for _, names, path in lines for name in names.split(",")}


def _mounts(root: Path) -> Iterator[tuple[str, str, str, list[str]]]:
    """Of each mount: where it is, which folder of its file system shows there, kind, options.

    The format is in proc(5). Spaces in paths are written as octal numbers.
    """
    for line in _text(root / "proc/self/mountinfo").splitlines():
        before, _, after = line.partition(" - ")
        mounted, mount = (each.encode().decode("unicode_escape") for each in before.split()[3:5])
        kind, _, options = after.split()[:3]
        yield mount, mounted, kind, options.split(",")


def _visible(root: Path, mount: str, mounted: str, group: str) -> Path:
    """The folder of a group, or of the nearest one above it that can be seen.

    `mounted` is the group that shows at `mount`. In a namespace of its own, both are named from its root.
    Where the group does not lie below `mounted`, the mount shows a container its own group.
    """
    top = root / mount.lstrip("/")
    inside = group.removeprefix(mounted) if mounted != "/" else group
    if ".." in Path(group).parts or (mounted != "/" and not Path(group).is_relative_to(mounted)):
        inside = ""
    folder = top / inside.strip("/")
    while not folder.is_dir() and folder != top:
        folder = folder.parent
    return folder


def _quotas(group: Path) -> Iterator[tuple[float, str]]:
    quota, _, period = _text(group / "cpu.max").partition(" ")  # "50000 100000", or "max 100000"
    if quota.isdecimal():
        yield int(quota) / int(period), "cgroup cpu.max"
    quota_us, period_us = (_number(group / f"cpu.cfs_{name}_us") for name in ("quota", "period"))
    if quota_us is not None and period_us:  # -1, which is no number here: no quota
        yield quota_us / period_us, "cgroup cpu.cfs_quota_us"


def _memory_limits(group: Path) -> Iterator[tuple[int, int, str]]:
    """(limit, free, name) of each limit of a group."""
    stat = dict(line.split(" ", 1) for line in _text(group / "memory.stat").splitlines())
    # Pages of files that nobody used lately are given up first, when memory is short.
    cache = int(stat.get("total_inactive_file", stat.get("inactive_file", 0)))
    for in_use, names in (
        # Over `memory.high` a group is slowed down until it stands still.
        ("memory.current", ("memory.max", "memory.high")),
        ("memory.usage_in_bytes", ("memory.limit_in_bytes",)),
    ):
        used = (_number(group / in_use) or 0) - cache
        for name in names:
            limit = _number(group / name)  # "max", which is no number here: no limit
            if limit is not None:
                yield limit, limit - used, f"cgroup {name}"
        above = stat.get("hierarchical_memory_limit")
        if in_use == "memory.usage_in_bytes" and above is not None:
            # of all groups above, also of those that cannot be seen; what else is in use there is not known
            yield int(above), int(above) - used, "cgroup memory.limit_in_bytes"


def _number(file: Path) -> int | None:
    text = _text(file)
    return int(text) if text.isdecimal() else None


def _text(file: Path) -> str:
    """Empty where there is no such file, or none that may be read: then its limit cannot be known."""
    try:
        return file.read_text().strip()
    except OSError:
        return ""

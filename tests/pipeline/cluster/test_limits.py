"""What a process may use: planted trees of control groups, and real limits of real processes."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from users import control_group

from crackpipe.pipeline.cluster import limits

MIB = 1 << 20
V2 = "31 24 0:27 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
V1 = (
    "31 24 0:27 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"
    "32 31 0:28 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
    "33 31 0:29 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
)


def planted(root: Path, own: str, mounts: str, files: Mapping[str, str | int]) -> Path:
    """A root folder with what the kernel says of the process's group and of mounts, and files of groups."""
    for name, content in {"proc/self/cgroup": own, "proc/self/mountinfo": mounts, **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{content}\n")
    return root


def used_v1(used_mib: int, cache_mib: int) -> dict[str, str | int]:
    return {
        "memory.usage_in_bytes": used_mib * MIB,
        "memory.stat": f"inactive_file 0\ntotal_inactive_file {cache_mib * MIB}",
    }


def below(folder: str, files: Mapping[str, str | int]) -> dict[str, str | int]:
    return {f"sys/fs/cgroup/{folder}/{name}": content for name, content in files.items()}


def test_version_2(tmp_path: Path) -> None:
    files = {
        "cpu.max": "50000 100000",
        "memory.max": 1800 * MIB,
        "memory.high": "max",
        "memory.current": 900 * MIB,
        "memory.stat": f"anon 5\nfile 7\ninactive_file {400 * MIB}",
    }
    root = planted(tmp_path, "0::/docker/abc", V2, below("docker/abc", files))
    cores = limits.cores(root)
    assert (cores.usable, cores.by, cores.processes) == (0.5, "cgroup cpu.max", 1)
    assert cores.machine == os.cpu_count()
    memory = limits.memory(root)
    assert (memory.limit, memory.limit_by) == (1800 * MIB, "cgroup memory.max")
    assert (memory.free, memory.free_by) == (1300 * MIB, "cgroup memory.max")


def test_version_1(tmp_path: Path) -> None:
    files = below("cpu,cpuacct/job", {"cpu.cfs_quota_us": 50000, "cpu.cfs_period_us": 100000})
    files |= below("memory/other", {"memory.limit_in_bytes": 1800 * MIB, **used_v1(900, 400)})
    root = planted(tmp_path, "4:memory:/other\n2:cpuacct,cpu:/job\n0::/", V1, files)
    cores, memory = limits.cores(root), limits.memory(root)
    assert (cores.usable, cores.by) == (0.5, "cgroup cpu.cfs_quota_us")
    assert (memory.limit, memory.limit_by) == (1800 * MIB, "cgroup memory.limit_in_bytes")
    assert memory.free == 1300 * MIB


def test_without_limits_it_is_the_machine(tmp_path: Path) -> None:
    v2 = {"cpu.max": "max 100000", "memory.max": "max", "memory.high": "max", "memory.current": 5 * MIB}
    v1 = {"memory.limit_in_bytes": 9223372036854771712, **used_v1(5, 0)}
    quota = {"cpu.cfs_quota_us": -1, "cpu.cfs_period_us": 100000}
    for root in (
        planted(tmp_path / "2", "0::/a", V2, below("a", v2)),
        planted(
            tmp_path / "1",
            "2:memory:/a\n1:cpu,cpuacct:/a",
            V1,
            below("memory/a", v1) | below("cpu,cpuacct/a", quota),
        ),
        planted(tmp_path / "none", "", "", {}),
        tmp_path / "no /proc",
    ):
        cores = limits.cores(root)
        assert cores.usable == len(os.sched_getaffinity(0))
        assert not cores.by.startswith("cgroup")
        assert limits.memory(root).limit_by == limits.memory(root).free_by == "machine"


def test_the_tightest_of_all_groups_above_counts(tmp_path: Path) -> None:
    """Of cores and memory each; memory that is taken elsewhere in a group above is not free here."""
    files: dict[str, str | int] = {}
    files |= below("a", {"memory.max": 900 * MIB, "memory.current": 850 * MIB, "cpu.max": "max 100000"})
    files |= below("a/b", {"memory.max": "max", "memory.high": 700 * MIB, "memory.current": 100 * MIB})
    files |= below("a/b", {"cpu.max": "30000 100000"})
    files |= below(
        "a/b/c", {"memory.max": 800 * MIB, "memory.current": 100 * MIB, "cpu.max": "150000 100000"}
    )
    root = planted(tmp_path, "0::/a/b/c", V2, files)
    assert limits.cores(root).usable == 0.3
    memory = limits.memory(root)
    assert (memory.limit, memory.limit_by) == (700 * MIB, "cgroup memory.high")
    assert (memory.free, memory.free_by) == (50 * MIB, "cgroup memory.max")


@pytest.mark.parametrize(
    ("own", "mounted"),
    [
        ("/", "/"),  # a namespace of its own
        ("/docker/abc", "/docker/abc"),  # the host's names, and its own group is mounted
        ("/docker/abc", "/"),  # the host's names, of which nothing can be seen
        ("/../other", "/"),
        ("/", "/../.."),
    ],
)
def test_where_only_the_root_can_be_seen_it_counts(tmp_path: Path, own: str, mounted: str) -> None:
    mounts = V2.replace(" / /sys", f" {mounted} /sys")
    files = below(".", {"cpu.max": "50000 100000", "memory.max": 700 * MIB, "memory.current": 0})
    root = planted(tmp_path, f"0::{own}", mounts, files)
    assert limits.cores(root).usable == 0.5
    assert limits.memory(root).limit == 700 * MIB


def test_below_what_a_container_sees_the_way_goes_on(tmp_path: Path) -> None:
    mounts = V2.replace(" / /sys", " /docker/abc /sys")
    root = planted(tmp_path, "0::/docker/abc/job", mounts, below("job", {"memory.max": 700 * MIB}))
    assert limits.memory(root).limit == 700 * MIB


def test_version_1_knows_of_limits_above_what_can_be_seen(tmp_path: Path) -> None:
    files = {"memory.limit_in_bytes": 9223372036854771712, "memory.usage_in_bytes": 100 * MIB}
    stat = {"memory.stat": f"hierarchical_memory_limit {700 * MIB}\ntotal_inactive_file {30 * MIB}"}
    root = planted(tmp_path, "2:memory:/a", V1, below("memory/a", files | stat))
    memory = limits.memory(root)
    assert (memory.limit, memory.free) == (700 * MIB, 630 * MIB)


def test_a_group_over_its_limit_has_nothing_left(tmp_path: Path) -> None:
    files = below("a", {"memory.max": 700 * MIB, "memory.current": 800 * MIB})
    assert limits.memory(planted(tmp_path, "0::/a", V2, files)).free == 0


# ---- real limits


def seen_by_a_child(*prefix: str) -> list[str]:
    """What a process of its own, started with a command in front, finds: a line each."""
    code = (
        "from crackpipe.pipeline.cluster import limits\n"
        "print(limits.cores().usable)\nprint(limits.cores().by)\n"
        "print(limits.memory().limit)\nprint(limits.memory().limit_by)\n"
        "print(dict(limits.of_each_process()))"
    )
    ended = subprocess.run([*prefix, sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return ended.stdout.splitlines()


def test_taskset() -> None:
    cpu = min(os.sched_getaffinity(0))
    usable, by, *_ = seen_by_a_child("taskset", "-c", str(cpu))
    assert usable == "1.0"
    assert by == ("CPU affinity" if (os.cpu_count() or 1) > 1 else "")


def test_ulimit() -> None:
    script = 'ulimit -v 4000000; ulimit -d 3000000; exec "$0" "$@"'
    *_, of_each = seen_by_a_child("sh", "-c", script)
    assert of_each == str({"address space": 4_000_000 << 10, "data": 3_000_000 << 10})


def test_a_real_control_group() -> None:
    """Made with the machine's own kernel, of the version that it has."""
    with control_group(f"crackpipe-test-{os.getpid()}", cores=0.5, memory_mib=1800) as prefix:
        usable, by, limit, limit_by, _ = seen_by_a_child(*prefix)
    assert (usable, int(limit)) == ("0.5", 1800 * MIB)
    assert by.startswith("cgroup cpu.")
    assert limit_by.startswith("cgroup memory.")


def test_what_does_not_fit_into_a_ulimit_is_told_with_it() -> None:
    code = (
        "from crackpipe.pipeline.cluster.limits import why_too_short\n"
        "for error in (MemoryError(), ImportError('libx: failed to map segment'), ImportError('no x')):\n"
        "    print(why_too_short(error))"
    )
    shell = ["sh", "-c", 'ulimit -v 4000000; exec "$0" "$@"', sys.executable, "-c", code]
    ended = subprocess.run(shell, capture_output=True, text=True, check=True)
    *both, other = ended.stdout.splitlines()
    limit = "Each process may reserve 3,906 MiB of address space (ulimit -v)."
    assert both == [f"{limit} Allow it more, `ulimit -v unlimited`, and run again."] * 2
    assert other == "None"
    assert limits.why_too_short(MemoryError()) is None

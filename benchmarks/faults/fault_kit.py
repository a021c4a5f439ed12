"""What the fault benches share: a small survey, a driver that starts quickly, faults by preload, hashes."""

import hashlib
import importlib
import mmap
import os
import pkgutil
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from rasterio.transform import from_origin

HERE = Path(__file__).resolve().parent


# ---- surveys


def write_image(path: Path, height_px: int, width_px: int, *, seed: int, east_m: float = 0.0) -> None:
    """A rendered road with one wandering crack along its longer side, 1 mm/px, as a tiled GeoTIFF."""
    from crackpipe.model.render.cracks import Crack
    from crackpipe.model.render.picture import clean_scene, render_window

    steps = max(height_px, width_px) // 6
    aside = np.cumsum(np.random.default_rng(seed).normal(0.0, 2.2, steps))
    along = np.linspace(20.0, max(height_px, width_px) - 20.0, steps)
    across = np.clip(min(height_px, width_px) / 2 + aside, 20.0, min(height_px, width_px) - 20.0)
    line = np.stack([along, across] if height_px >= width_px else [across, along], axis=1)
    crack = Crack(line, np.full(steps, 5.0), contrast_grey=70.0)
    rgb, _ = render_window(
        clean_scene(height_px, width_px, seed=seed, cracks=(crack,)), 0, 0, height_px, width_px
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(
        path, "w", driver="GTiff", height=height_px, width=width_px, count=3, dtype="uint8", tiled=True,
        blockxsize=256, blockysize=256, compress="deflate", crs="EPSG:25832",
        transform=from_origin(500_000.0 + east_m, 5_400_000.0, 0.001, 0.001),
    ) as target:  # fmt: skip
        target.write(np.moveaxis(rgb, -1, 0))


def write_survey(folder: Path, sizes: Sequence[tuple[int, int]], *, seed: int = 1) -> Path:
    """One image of each (height, width) in pixels, side by side, in folders of two."""
    for index, (height_px, width_px) in enumerate(sizes):
        path = folder / f"lane{index // 2}" / f"{index:04d}.tif"
        write_image(path, height_px, width_px, seed=seed + index, east_m=3.0 * index)
    return folder


# ---- a driver in a process of its own


@dataclass
class Run:
    """A `crackpipe` process."""

    pid: int
    log: Path
    status: int | None = None

    def poll(self) -> int | None:
        """Its exit code, minus the signal that killed it, or None while it runs."""
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
        return self.status

    def wait(self, timeout_s: float) -> int:
        """Its exit code; AssertionError if it hangs."""
        deadline = time.monotonic() + timeout_s
        while self.poll() is None:
            if time.monotonic() > deadline:
                self.kill()
                raise AssertionError(f"hung for {timeout_s} s: {self.talk()}")
            time.sleep(0.01)
        assert self.status is not None
        return self.status

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal, if it still runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def talk(self) -> str:
        """What it wrote to stdout and stderr."""
        return self.log.read_text(errors="replace")


def warm_up() -> None:
    """Import everything a run needs, so that a forked driver starts at once.

    Nothing that has threads of its own may run before the fork.
    """
    from crackpipe import pipeline
    from crackpipe.model.weights.read import load

    # the pipeline imports these where it first needs them
    names = ["distributed", "geopandas", "pyarrow.dataset", "crackpipe.model.predict.cpu_convolutions"]
    names += [module.name for module in pkgutil.walk_packages(pipeline.__path__, "crackpipe.pipeline.")]
    for name in names:
        importlib.import_module(name)
    load("lite")


def load_network(survey: Path, out: Path) -> None:
    """Load the network of the survey's runs here, so that drivers forked later have it."""
    from crackpipe.pipeline import request
    from crackpipe.pipeline.config import Config
    from crackpipe.pipeline.tasks import network

    job = request.make_job(request.Request((survey,), out, Config(), serial=True))
    if job.device == "cpu":  # a GPU cannot be used across a fork
        network.predictor_of(job)


def start(arguments: Sequence[object], log: Path) -> Run:
    """`crackpipe ARGUMENTS` in a fork of this process, a session of its own."""
    pid = os.fork()
    if pid:
        return Run(pid, log)
    try:
        os.setsid()
        talk = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        os.dup2(talk, 1)
        os.dup2(talk, 2)
        sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
        sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
        sys.argv = ["crackpipe", *map(str, arguments)]
        signal.signal(signal.SIGINT, signal.default_int_handler)
        code: object = 0
        try:
            from crackpipe.cli import main

            main()
        except SystemExit as stop:
            code = stop.code
        except BaseException as error:  # noqa: BLE001  as the interpreter would do at the end of a program
            sys.excepthook(type(error), error, error.__traceback__)
            code = 70
        os._exit(code if isinstance(code, int) else 0)
    finally:
        os._exit(70)


def crackpipe(*arguments: object, log: Path, timeout_s: float = 300.0) -> Run:
    """The same, waited for."""
    run = start(arguments, log)
    run.wait(timeout_s)
    return run


def children_of(pid: int) -> list[int]:
    """Worker processes of a driver: what Dask spawned, at any depth."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
    found: list[int] = []
    for child in sorted(parents):
        ancestor = child
        while ancestor in parents and ancestor != pid:
            ancestor = parents[ancestor]
        if ancestor == pid and child != pid:
            found.append(child)
    return found


def workers_of(pid: int) -> list[int]:
    """Those of the children that run tasks."""
    return [child for child in children_of(pid) if "spawn_main" in _command_line(child)]


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""


# ---- what was published, and litter


def published(out: Path) -> dict[str, str]:
    """SHA-256 of both tables and of every file of masks.zarr."""
    files = [out / "cracks.parquet", out / "images.parquet", *sorted((out / "masks.zarr").rglob("*"))]
    return {
        file.relative_to(out).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in files
        if file.is_file()
    }


def state(out: Path) -> str:
    """A hash of everything a later run or `verify` can see of an output, by names and content.

    Not of what holds clock times and decides nothing: logs, and what stands in the owner's file.
    """
    digest = hashlib.sha256()
    for path in sorted(out.rglob("*")):
        if (out / "logs") in path.parents:
            continue
        digest.update(f"{path.relative_to(out)}\0{path.is_file()}\0".encode())
        if path.is_file() and not path.name.startswith("owner.json"):
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def litter(out: Path) -> list[str]:
    """Whatever a finished run must not leave: staging, an owner, partial files."""
    hidden = out / ".crackpipe"
    found = [*(hidden / "staging").iterdir(), *hidden.glob("owner.json*")]
    found += [path for suffix in ("staged", "partial") for path in out.rglob(f"*.{suffix}")]
    return sorted(path.relative_to(out).as_posix() for path in found)


# ---- faults


@dataclass
class Faults:
    """The preload library and the memory it shares with the processes that carry it."""

    library: Path
    memory: mmap.mmap
    environment: dict[str, str]

    def arm(self, nth: int, error: int, *, stays: bool) -> None:
        """From now on the `nth` change fails with `error`, and all later ones if it stays; 0 disarms."""
        self.memory[:32] = struct.pack("4q", 0, nth, error, int(stays))

    @property
    def count(self) -> int:
        """Changes since `arm`."""
        return int(struct.unpack_from("q", self.memory)[0])


def build_faults(folder: Path, below: Path) -> Faults:
    """Compile the preload library into `folder`; it will count changes below `below`."""
    library, shared = folder / "faults.so", folder / "faults.state"
    command = ["cc", "-shared", "-fPIC", "-O2", "-o", library, HERE / "faults.c", "-ldl"]
    subprocess.run(command, check=True)
    shared.write_bytes(bytes(mmap.PAGESIZE))
    with shared.open("r+b") as file:
        memory = mmap.mmap(file.fileno(), mmap.PAGESIZE)
    environment = {"LD_PRELOAD": str(library), "FAULT_STATE": str(shared), "FAULT_BELOW": str(below)}
    return Faults(library, memory, environment)


def preloaded(environment: dict[str, str]) -> bool:
    """Start this script again with the environment, unless it has it; True in the process that has."""
    if all(os.environ.get(name) == value for name, value in environment.items()):
        return True
    code = subprocess.run([sys.executable, *sys.argv], env=os.environ | environment, check=False).returncode
    sys.exit(code)


@contextmanager
def workplace(name: str) -> Iterator[Path]:
    """A temporary folder, gone afterwards. `TMPDIR` says where."""
    folder = Path(tempfile.mkdtemp(prefix=f"{name}-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)

"""A real cluster of Dask, as somebody else starts it."""

import os
import re
import subprocess
import sys
import time
from functools import cached_property
from pathlib import Path
from types import TracebackType

from distributed import Client

_DASK = [sys.executable, "-m", "dask"]
_OPTIONS = ["--no-dashboard", "--host", "127.0.0.1"]


class Cluster:
    """A real `dask scheduler`, and real `dask worker` processes whenever they are asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder, file = folder, folder / "scheduler.json"
        self.processes = [self._start("scheduler", "--port", "0", "--scheduler-file", str(file))]
        deadline, found = time.monotonic() + 120, None  # which only a broken machine reaches
        while found is None:
            assert time.monotonic() < deadline
            found = re.search(r"tcp://127\.0\.0\.1:\d+", file.read_text() if file.exists() else "")
            time.sleep(0.1)
        self.address = found.group()

    @cached_property
    def client(self) -> Client:
        return Client(self.address, set_as_default=False)

    @property
    def scheduler(self) -> "subprocess.Popen[bytes]":
        return self.processes[0]

    def add_worker(self, name: str, *more: str, threads: int = 2) -> None:
        options = ["--nthreads", str(threads), "--name", name, "--local-directory", str(self.folder), *more]
        self.processes.append(self._start("worker", self.address, *options))

    @staticmethod
    def _start(*command: str) -> "subprocess.Popen[bytes]":
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        return subprocess.Popen([*_DASK, *command, *_OPTIONS], stderr=subprocess.DEVNULL, env=environment)

    def __enter__(self) -> "Cluster":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if "client" in self.__dict__:
            self.client.close()
        for process in self.processes[::-1]:
            process.terminate()
        for process in self.processes:
            process.wait(30)

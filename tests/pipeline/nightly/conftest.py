"""A share whose server is away."""

import ctypes
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def dead_share(tmp_path: Path) -> Iterator[Path]:
    """A FUSE file system whose server says nothing: the kernel keeps whoever looks at it waiting."""
    folder = tmp_path / "dead"
    folder.mkdir()
    if sys.platform != "linux" or os.geteuid() != 0 or not os.access("/dev/fuse", os.R_OK | os.W_OK):
        pytest.skip("mounting a FUSE file system needs Linux, root and /dev/fuse")
    server = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={server},rootmode=40000,user_id=0,group_id=0".encode()
    if ctypes.CDLL(None).mount(b"dead", bytes(folder), b"fuse.dead", 0, options) != 0:
        os.close(server)
        pytest.skip("this machine mounts no FUSE file system")
    try:
        yield folder
    finally:
        os.close(server)  # now all who wait get an error
        subprocess.run(["umount", "-l", str(folder)], check=True)

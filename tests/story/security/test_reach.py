"""What a run reaches and who reaches it: no address is fetched, workers listen on this machine only."""

import os
import socket
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from affine import Affine
from bad_files import write
from helpers import listens_at, worker_facts

from crackpipe.pipeline.cluster import local
from crackpipe.pipeline.errors import ImageRejectedError
from crackpipe.pipeline.raster import gdal


@pytest.fixture
def server() -> Iterator[tuple[int, list[bytes]]]:
    """A port, and what was asked of it."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    peer, _ = listener.accept()
                except OSError:
                    return
                with peer:
                    asked.append(peer.recv(4096))
                    peer.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1], asked
        listener.shutdown(socket.SHUT_RDWR)


READ_IT = """
import sys
from pathlib import Path
if sys.argv[2] == "guarded":
    from crackpipe.pipeline.raster.gdal import open_raster
import rasterio
try:
    with rasterio.open(sys.argv[1]) as dataset:
        dataset.read(out_shape=(3, 8, 8))
except rasterio.errors.RasterioError:
    pass
"""


@pytest.mark.parametrize("guard", ["guarded", "bare"])
def test_no_address_is_fetched(guard: str, server: tuple[int, list[bytes]], tmp_path: Path) -> None:
    """Not even by a reader that follows overviews: the environment forbids it. Without it, GDAL does."""
    port, asked = server
    url = f"/vsicurl/http://127.0.0.1:{port}/secret.tif"
    place = Affine(0.001, 0, 500_000, 0, -0.001, 5_400_000)
    path = write(tmp_path / "a.tif", place, tags={"OVERVIEWS": {"OVERVIEW_FILE": url}})
    bare = {name: value for name, value in os.environ.items() if not name.startswith(("GDAL", "CPL"))}
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", READ_IT, path, guard], check=True, timeout=60, env=bare
    )
    assert bool(asked) == (guard == "bare")
    asked.clear()
    with pytest.raises(ImageRejectedError) as caught:
        gdal.open_raster(path, "GTiff")
    assert caught.value.reason == "refers-elsewhere"
    assert not asked


# ---- workers


@pytest.mark.dask
def test_workers_have_gdal_on_its_leash() -> None:
    with local.local_cpu(1, 1) as client:
        (facts,) = client.run(worker_facts).values()
    assert facts["pid"] != os.getpid()
    assert set(gdal.DRIVERS) <= set(facts["drivers"])
    assert not {"VRT", "GTI", "DERIVED", "HTTP", "WMS", "WMTS", "WCS"} & set(facts["drivers"])
    for name in ("GDAL_DISABLE_READDIR_ON_OPEN", "GDAL_PAM_ENABLED", "GDAL_SKIP"):
        # as the process was started with: before any of its code ran, GDAL's above all
        assert f"{name}={os.environ[name]}".encode() in facts["environment"]


@pytest.mark.dask
def test_two_runs_at_once_listen_on_this_machine_only() -> None:
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        with local.local_cpu(1, 1) as client, local.local_cpu(1, 1):
            addresses = set.union(listens_at(), *client.run(listens_at).values())
    assert addresses == {"127.0.0.1"}
    assert not [each for each in warned if "Port" in str(each.message)]

"""A survey full of files that point at secrets: nothing that they name is opened, quoted or listened for."""

import secrets
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil
import pyarrow.parquet as pq
import pytest
from affine import Affine
from bad_files import NOISE, photograph, write

from crackpipe.pipeline.config import Config
from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.raster.reader import ImageReader
from crackpipe.pipeline.survey.accept import inspect
from crackpipe.pipeline.survey.files.candidates import Candidate

HEIGHT_PX, WIDTH_PX = NOISE.shape[1:]


def place(number: int) -> Affine:
    return Affine(0.001, 0, 500_000, 0, -0.001, 5_400_000 + 5 * number)


def raw_vrt(target: Path) -> str:
    return (
        f'<VRTDataset rasterXSize="{WIDTH_PX}" rasterYSize="{HEIGHT_PX}"><SRS>EPSG:25832</SRS>'
        "<GeoTransform>500000,0.001,0,5400000,0,-0.001</GeoTransform>"
        '<VRTRasterBand dataType="Byte" band="1" subClass="VRTRawRasterBand">'
        f"<SourceFilename relativeToVRT='0'>{target}</SourceFilename></VRTRasterBand></VRTDataset>"
    )


def plant(survey: Path, secret: Path, picture: Path) -> None:
    """Every way in which a file of a survey could point at a secret text or at a secret picture."""
    survey.mkdir()
    write(survey / "good.tif", place(0))
    (survey / "vrt.tif").write_text(raw_vrt(secret))
    for number, sidecar in enumerate(("msk", "ovr", "aux.xml"), start=1):
        path = write(survey / f"{sidecar}-vrt.tif", place(number))
        Path(f"{path}.{sidecar}").write_text(raw_vrt(secret))
        path = write(survey / f"{sidecar}-link.tif", place(number + 3))
        Path(f"{path}.{sidecar}").symlink_to(picture if sidecar == "msk" else secret)
    aux = "<PAMDataset><Metadata domain='OVERVIEWS'><MDI key='OVERVIEW_FILE'>{}</MDI></Metadata></PAMDataset>"
    Path(f"{write(survey / 'aux-overviews.tif', place(8))}.aux.xml").write_text(aux.format(picture))
    domains = {
        "overviews": ("OVERVIEWS", "OVERVIEW_FILE"),
        "subdataset": ("SUBDATASETS", "SUBDATASET_1_NAME"),
        "geolocation": ("GEOLOCATION", "X_DATASET"),
    }
    for number, (name, (domain, key)) in enumerate(domains.items(), start=10):
        write(survey / f"{name}.tif", place(number), tags={domain: {key: str(picture)}})
    entity = f'<!DOCTYPE d [<!ENTITY e SYSTEM "file://{secret}">]><Item name="e">&e;</Item>'
    write(survey / "entity.tif", place(14), tags={"": {"DESCRIPTION": entity}})
    for number, suffix in enumerate((".wld", ".prj"), start=15):
        beside = photograph(survey / f"link-to{suffix}.jpg", place(number)).with_suffix(suffix)
        beside.unlink()
        beside.symlink_to(secret)
    photograph(survey / "init.jpg", place(17)).with_suffix(".prj").write_text(
        f"+init={secret}:secret +type=crs"
    )
    (survey / "link.tif").symlink_to(picture)
    (survey / "folder").symlink_to(secret.parent)
    (survey / "text.tif").symlink_to(secret)


@dataclass
class Run:
    """What a real `crackpipe run` with a worker process left behind and showed."""

    code: int
    out: Path
    talk: str
    listening: set[str] = field(default_factory=set)
    """Addresses that the driver or a worker listened on."""
    processes: int = 0


def listening(root: psutil.Process) -> tuple[set[str], int]:
    """Addresses that a process and those below it listen on, from /proc/PID/net/tcp; how many there are."""
    family = [root, *root.children(recursive=True)]
    inodes = {str(entry.readlink()) for each in family for entry in descriptors(each.pid)}
    found = set()
    for name in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path("/proc/net", name).read_text().splitlines()[1:]:
            columns = line.split()
            listens = columns[3] == "0A" or name.startswith("udp")
            if listens and f"socket:[{columns[9]}]" in inodes:
                found.add(columns[1].split(":")[0])
    return found, len(family)


def descriptors(pid: int) -> list[Path]:
    try:
        return [path for path in Path(f"/proc/{pid}/fd").iterdir() if path.is_symlink()]
    except OSError:  # it has ended
        return []


@pytest.fixture(scope="module")
def token() -> str:
    return secrets.token_hex(16)


@pytest.fixture(scope="module")
def hostile_run(token: str, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "private").mkdir()
    secret, picture = folder / "private" / "passwd", folder / "private" / "photo.tif"
    # PROJ finds `+init=FILE:secret` by the <...> and would take the title over
    secret.write_text(f"<secret> +proj=utm +zone=32 +title={token} <>\n" + f"root:{token}:0:0\n" * 2000)
    stream = (token * 10_000).encode()[: NOISE.size]
    write(picture, place(30), np.frombuffer(stream, np.uint8).reshape(NOISE.shape))
    plant(folder / "survey", secret, picture)
    out = folder / "out"
    command = [sys.executable, "-m", "crackpipe", "run", str(folder / "survey"), "--out", str(out)]
    process = subprocess.Popen(
        [*command, "--workers", "1"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    talk: list[str] = []
    listener = threading.Thread(target=lambda: talk.append(process.communicate()[0]))
    listener.start()
    run = Run(0, out, "")
    root = psutil.Process(process.pid)
    while process.poll() is None:
        try:
            addresses, processes = listening(root)
        except (psutil.NoSuchProcess, FileNotFoundError):
            continue
        run.listening |= addresses
        run.processes = max(run.processes, processes)
        time.sleep(0.2)
    listener.join()
    run.code, run.talk = process.returncode, talk[0]
    return run


@pytest.mark.dask
def test_no_byte_of_a_secret_reaches_outputs_or_messages(hostile_run: Run, token: str) -> None:
    assert hostile_run.code == 3, hostile_run.talk
    assert token not in hostile_run.talk
    files = [file for file in hostile_run.out.rglob("*") if file.is_file()]
    assert len(files) > 30
    for file in files:
        assert token.encode() not in file.read_bytes(), file
    for table in ("images", "cracks"):  # compressed on disk
        assert token not in str(pq.read_table(hostile_run.out / f"{table}.parquet").to_pylist())


@pytest.mark.dask
def test_each_attack_ends_where_it_should(hostile_run: Run) -> None:
    rows = pq.read_table(hostile_run.out / "images.parquet").to_pylist()
    assert {row["image_id"]: row["reason"] for row in rows} == {
        "good.tif": None,
        "vrt.tif": "not-an-image",
        "msk-vrt.tif": "mask-unreadable",
        "msk-link.tif": "mask-unreadable",
        "ovr-vrt.tif": None,
        "ovr-link.tif": None,
        "aux.xml-vrt.tif": None,
        "aux.xml-link.tif": None,
        "aux-overviews.tif": None,
        "overviews.tif": "refers-elsewhere",
        "subdataset.tif": None,
        "geolocation.tif": None,
        "entity.tif": None,
        "link-to.wld.jpg": "symlink-outside",
        "link-to.prj.jpg": "symlink-outside",
        "init.jpg": "crs-unusable",
        "link.tif": "symlink-outside",
        "folder": "symlink-outside",
        "text.tif": "symlink-outside",
    }


@pytest.mark.dask
def test_everything_listens_on_loopback_only(hostile_run: Run) -> None:
    assert hostile_run.processes >= 2  # the driver and a worker were seen
    assert hostile_run.listening == {"0100007F"}  # 127.0.0.1 as the kernel writes it


def test_a_secret_beside_an_image_does_not_reach_its_pixels(tmp_path: Path) -> None:
    picture = write(tmp_path / "private.tif", place(0), np.full_like(NOISE, 7))
    survey = tmp_path / "survey"
    for name in ("ovr", "aux.xml"):
        path = write(survey / f"{name}.tif", place(1))
        Path(f"{path}.{name}").write_bytes(picture.read_bytes())
        image = inspect(Candidate(path.name, "s", path, survey), Config())
        with ImageReader(image) as reader:
            rgb, valid = reader.read(Window(0, 0, HEIGHT_PX, WIDTH_PX))
        assert np.array_equal(rgb, NOISE.transpose(1, 2, 0))
        assert valid.all()

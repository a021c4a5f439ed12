"""The whole story on a small real survey: tables, resume, determinism, real clusters, real kills."""

import os
import shutil
import signal
import time
from pathlib import Path

import duckdb
import geopandas as gpd
import pyarrow.parquet as pq
import pytest
import shapely
import xarray as xr
from helpers import STRIP_CRACK, tree_hash, write_scene
from processes import begun, ended, wait_for_a_block
from processes.cluster import Cluster

from crackpipe.model.render.picture import Scene
from crackpipe.pipeline.config import Config
from crackpipe.pipeline.errors import ConfigurationError, NoReadableImageError, SchedulerLostError, UsageError
from crackpipe.pipeline.plan import look_at
from crackpipe.pipeline.request import Request
from crackpipe.pipeline.run import run
from crackpipe.pipeline.state import lock, output

BAD = {"no-crs.tif": "no-crs", "empty.tif": "empty-file", "notes.png": "not-an-image"}


def request(survey: Path, out: Path, *, serial: bool = True, **config: object) -> Request:
    return Request((survey,), out, Config(**config), serial=serial)  # type: ignore[arg-type]


def test_every_file_is_done_or_quarantined(finished: Path) -> None:
    images = gpd.read_parquet(finished / "images.parquet").set_index("image_id")
    assert set(images.index) == {"lane1/a.tif", "lane1/b.tif", "lane2/strip.tif", *BAD}
    assert images.loc[list(BAD), "reason"].to_dict() == BAD
    assert (images.loc[list(BAD), "remedy"].str.len() > 10).all()
    assert (images.drop(index=list(BAD))["status"] == "done").all()


def test_cracks_lie_where_they_were_drawn(finished: Path) -> None:
    cracks = gpd.read_parquet(finished / "cracks.parquet")
    strip = cracks[cracks.image_id == "lane2/strip.tif"]
    drawn_m = STRIP_CRACK.length_px * 0.0010004  # UTM's scale here
    assert strip.length_m.sum() == pytest.approx(drawn_m, rel=0.05)
    longest = strip.loc[strip.length_m.idxmax()]
    assert longest.width_mm == pytest.approx(6.0, abs=1.0)
    assert longest.width_class == "wide"
    world = [
        (500_003 + (col + 0.5) / 1000, 5_400_000 - (row + 0.5) / 1000) for row, col in STRIP_CRACK.centreline
    ]
    assert strip.geometry.union_all().hausdorff_distance(shapely.LineString(world)) < 0.03
    assert cracks[cracks.image_id == "lane1/b.tif"].empty


def test_foreign_readers_open_the_tables(finished: Path) -> None:
    file = finished / "cracks.parquet"
    rows = pq.read_table(file).num_rows
    assert rows == len(gpd.read_parquet(file)) > 0
    query = f"select count(*), sum(length_m) from read_parquet('{file}') where width_class = 'wide'"
    [(count, length_m)] = duckdb.sql(query).fetchall()
    assert count > 0
    assert length_m > 1


def test_xarray_opens_the_masks(finished: Path) -> None:
    dataset = xr.open_zarr(finished / "masks.zarr", group="lane1/a.tif", mask_and_scale=False)
    assert dataset["mask"].shape == (600, 760)
    assert set(dataset["mask"].values.ravel()) == {0, 1}
    assert dataset["x"].values[0] == pytest.approx(500_000.0005)


def test_second_run_does_nothing(survey: Path, finished: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(finished, out)
    before = tree_hash(out)
    stamp = (out / "cracks.parquet").stat().st_mtime_ns
    summary = run(request(survey, out))
    assert summary.unchanged
    assert summary.images_run == 0
    assert summary.exit_code == 3
    assert tree_hash(out) == before
    assert (out / "cracks.parquet").stat().st_mtime_ns == stamp


@pytest.mark.parametrize(
    "config",
    [{"unit_tiles": 1}, pytest.param({"workers": 2}, marks=pytest.mark.dask)],
    ids=["small units", "2 workers"],
)
def test_same_bytes_however_the_work_is_cut(
    survey: Path, finished: Path, tmp_path: Path, config: dict[str, int]
) -> None:
    """By one worker: below, where it is killed."""
    run(request(survey, tmp_path / "out", serial="workers" not in config, **config))
    assert tree_hash(tmp_path / "out") == tree_hash(finished)
    assert (tmp_path / "out" / "cracks.gpkg").read_bytes() == (finished / "cracks.gpkg").read_bytes()
    assert gpd.read_parquet(tmp_path / "out" / "images.parquet").familiarity.count() == 3  # compared too


def test_same_bytes_for_files_listed_in_another_order(survey: Path, tmp_path: Path) -> None:
    names = ["lane1/b.tif", "no-crs.tif", "lane1/a.tif"]
    hashes = []
    for index, order in enumerate((names, names[::-1])):
        manifest = survey / f"list{index}.txt"
        manifest.write_text("\n".join(order))
        renamed = survey / "list.txt"
        manifest.rename(renamed)  # the survey's name is part of the rows
        out = tmp_path / f"out{index}"
        run(request(renamed, out))
        renamed.unlink()
        hashes.append(tree_hash(out))
    assert hashes[0] == hashes[1]


def test_blocks_of_another_size_give_the_same_cracks(survey: Path, finished: Path, tmp_path: Path) -> None:
    run(request(survey, tmp_path / "out", block_cores=1))
    for table in ("cracks.parquet", "images.parquet"):
        assert (tmp_path / "out" / table).read_bytes() == (finished / table).read_bytes()


def test_an_image_that_changed_runs_again_and_no_other(survey: Path, finished: Path, tmp_path: Path) -> None:
    copy, out = tmp_path / "survey", tmp_path / "out"
    shutil.copytree(survey, copy)  # keeps times
    shutil.copytree(finished, out)
    os.utime(copy / "lane1" / "b.tif")
    summary = run(request(copy, out))
    assert summary.images_run == 1


def test_empty_folder_is_no_survey(tmp_path: Path) -> None:
    (tmp_path / "survey").mkdir()
    with pytest.raises(NoReadableImageError, match="no image found"):
        run(request(tmp_path / "survey", tmp_path / "out"))


def test_an_image_that_no_map_shares_with_the_others_stops_nobody(tmp_path: Path) -> None:
    scene = Scene(64, 64, gsd_mm=1.0, seed=3)
    survey = tmp_path / "survey"
    antipodes = "+proj=gnom +lat_0=-49 +lon_0=-171"
    for name, x, crs in (("a", 0.0, antipodes), ("b", 1.0, antipodes), ("far", 500_000.0, "EPSG:25832")):
        write_scene(survey / f"{name}.tif", scene, x=x, crs=crs)
    asked = request(survey, tmp_path / "out")
    found = look_at(asked)
    assert [image.image_id for image in found.images] == ["a.tif", "b.tif"]
    assert [(each.image_id, each.reason) for each in found.rejected] == [("far.tif", "outside-crs")]
    assert run(asked).exit_code == 3
    with pytest.raises(ConfigurationError, match="none of the 1 images"):
        look_at(request(survey / "far.tif", tmp_path / "out", crs=antipodes))


def test_only_bad_images_give_empty_tables(tmp_path: Path) -> None:
    (tmp_path / "survey").mkdir()
    (tmp_path / "survey" / "empty.tif").write_bytes(b"")
    summary = run(request(tmp_path / "survey", tmp_path / "out"))
    assert summary.exit_code == 3
    assert len(gpd.read_parquet(tmp_path / "out" / "cracks.parquet")) == 0


def test_more_gpus_than_there_are(survey: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="this machine has"):
        run(request(survey, tmp_path / "out", gpus=99))


def test_unreachable_scheduler(survey: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crackpipe.pipeline.cluster.scheduler._CONNECT_TIMEOUT_S", 2)
    with pytest.raises(SchedulerLostError, match="dask scheduler"):
        run(request(survey, tmp_path / "out", serial=False, scheduler="tcp://127.0.0.1:9"))


@pytest.mark.dask
@pytest.mark.slow
def test_same_bytes_on_a_running_dask_cluster(survey: Path, finished: Path, tmp_path: Path) -> None:
    with Cluster(tmp_path) as cluster:
        for name in ("first", "second"):
            cluster.add_worker(name)
        run(request(survey, tmp_path / "out", serial=False, scheduler=cluster.address))
    assert tree_hash(tmp_path / "out") == tree_hash(finished)


@pytest.mark.dask
@pytest.mark.parametrize(
    ("kill", "code"),
    [
        (signal.SIGKILL, -9),
        pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow),
        pytest.param(signal.SIGINT, 130, marks=pytest.mark.slow),
    ],
    ids=["SIGKILL", "SIGTERM", "SIGINT"],
)
def test_killed_and_run_again_gives_the_same_bytes(
    survey: Path, finished: Path, tmp_path: Path, kill: signal.Signals, code: int
) -> None:
    out = tmp_path / "out"
    arguments = ("run", survey, "--out", out, "--workers", 1)
    began = time.monotonic()
    first = begun(*arguments)
    wait_for_a_block(out, first)
    first.send_signal(kill)
    sent = time.monotonic()
    first.communicate(timeout=200)
    # the start takes less; where the machine is so busy that it took longer, so may the end
    assert time.monotonic() - sent < max(10, sent - began)
    assert first.returncode == code
    code_of_second, talk = ended(begun(*arguments))
    assert code_of_second == 3, talk
    assert tree_hash(out) == tree_hash(finished)
    assert (out / "cracks.gpkg").read_bytes() == (finished / "cracks.gpkg").read_bytes()
    assert not list((out / ".crackpipe" / "staging").iterdir())
    assert lock.holder_of(output.Output(out)) is None

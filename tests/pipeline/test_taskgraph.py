"""The order in which units begin, what skeletons wait for, and damage that every unit meets."""

from pathlib import Path

import pyarrow.parquet as pq
import rasterio
from distributed import Client, LocalCluster, as_completed
from helpers import write_scene

from crackpipe.model.render.picture import clean_scene
from crackpipe.pipeline.config import Config
from crackpipe.pipeline.plan import look_at, make_plan, units_of
from crackpipe.pipeline.request import Request, make_job
from crackpipe.pipeline.run import prepare, run
from crackpipe.pipeline.state import lock
from crackpipe.pipeline.taskgraph import build_graph


def test_of_the_last_units_the_largest_begin_first(survey: Path, tmp_path: Path) -> None:
    asked = Request((survey,), tmp_path / "out", Config(block_cores=4, unit_tiles=2))
    plan = make_plan(asked, make_job(asked), look_at(asked))
    units = units_of(asked, plan, plan.to_run)
    plan.job.output.create()
    with (
        lock.locked(plan.job.output, plan.job.run),
        LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        prepare(plan)
        inspected, _ = build_graph(plan, plan.to_run, units)
        futures = client.compute(inspected, optimize_graph=False)
        tiles = [future.result().tiles for future in as_completed(futures)]
    sizes = [sum(block.tiles for block in unit) for unit in units]
    assert sizes != sorted(sizes, reverse=True)
    assert tiles == sorted(sizes, reverse=True)


def test_skeletons_wait_for_the_masks_within_their_reach_alone(tmp_path: Path) -> None:
    write_scene(tmp_path / "survey" / "strip.tif", clean_scene(6 * 384, 300, seed=3))
    asked = Request((tmp_path / "survey",), tmp_path / "out", Config(block_cores=1, unit_tiles=1))
    plan = make_plan(asked, make_job(asked), look_at(asked))
    inspected, (end,) = build_graph(plan, plan.to_run, units_of(asked, plan, plan.to_run))
    units = [task.key for task in inspected]
    waits = {
        int(name.rpartition("-")[2]): [units.index(key) for key in sorted(needed & set(units))]
        for name, needed in end.dask.get_all_dependencies().items()
        if name.startswith("skeleton-")
    }
    assert waits == {0: [0, 1], 1: [0, 1, 2], 2: [1, 2, 3], 3: [2, 3, 4], 4: [3, 4, 5], 5: [4, 5]}


def test_a_large_image_of_which_no_block_can_be_read_is_set_aside_and_no_other(tmp_path: Path) -> None:
    """Every block looks into the corners for a collar, so that damage in one of them rejects all blocks."""
    bad, good = tmp_path / "survey" / "bad.tif", tmp_path / "survey" / "good.tif"
    write_scene(bad, clean_scene(4 * 384, 300, seed=3))
    write_scene(good, clean_scene(300, 300, seed=4), x=500_010.0)
    with rasterio.open(bad) as dataset:
        start = int(dataset.get_tag_item("BLOCK_OFFSET_0_0", "TIFF", bidx=1))
    content = bytearray(bad.read_bytes())
    content[start : start + 1000] = bytes(1000)
    bad.write_bytes(content)
    out = tmp_path / "out"
    summary = run(Request((bad.parent,), out, Config(block_cores=1, unit_tiles=1), serial=True))
    assert summary.exit_code == 3
    rows = pq.read_table(out / "images.parquet").to_pylist()
    assert [(row["image_id"], row["status"], row["reason"]) for row in rows] == [
        ("bad.tif", "quarantined", "unreadable-block"),
        ("good.tif", "done", None),
    ]

"""The order in which units begin, on a real scheduler, and what skeletons wait for."""

from pathlib import Path

from distributed import Client, LocalCluster, as_completed
from helpers import write_scene

from crackpipe.model.render.picture import clean_scene
from crackpipe.pipeline.config import Config
from crackpipe.pipeline.plan import look_at, make_plan, units_of
from crackpipe.pipeline.request import Request, make_job
from crackpipe.pipeline.run import prepare
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

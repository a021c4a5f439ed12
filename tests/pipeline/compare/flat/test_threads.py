"""Parts of the ground on several cores: the same result as on one."""

import os
import time
from pathlib import Path

import numpy as np
import pytest
from years.two_years import wandering, write_output

from crackpipe.pipeline.compare.compare import compare
from crackpipe.pipeline.compare.flat.threads import in_threads
from crackpipe.pipeline.compare.laid import Options


def test_results_come_in_the_order_of_the_parts() -> None:
    assert list(in_threads(lambda part: part * part, range(1000))) == [part * part for part in range(1000)]
    assert list(in_threads(lambda part: part, [])) == []


def test_an_error_in_one_part_ends_all() -> None:
    done = []

    def work(part: int) -> None:
        time.sleep(0.002)
        done.append(1 / (part - 3))

    with pytest.raises(ZeroDivisionError):
        list(in_threads(work, range(2000)))
    assert len(done) < 1900


def test_on_one_core_the_files_are_the_same(tmp_path: Path) -> None:
    frames = [(-5.0, 905.0)]  # over three tiles of 400 m
    road = wandering(2, 500, 900.0)
    older = write_output(tmp_path / "2024", road, frames=frames)
    moved = [each.moved(np.array([0.36, -0.34])) for each in road[:450]]
    newer = write_output(tmp_path / "2025", moved, frames=frames, year=2025)
    cores = os.sched_getaffinity(0)
    for name, some in (("one", {min(cores)}), ("all", cores)):
        os.sched_setaffinity(0, some)
        compare(older, newer, tmp_path / name, Options())
    for file in ("changes.parquet", "changes_sections.parquet", "changes.json"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "all" / file).read_bytes()

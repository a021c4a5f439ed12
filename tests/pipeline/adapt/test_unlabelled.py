"""Statistics of a run's tiles become weights, without a label."""

from pathlib import Path

import pytest
import torch

from crackpipe.model.weights.read import load
from crackpipe.pipeline.adapt.candidates import tiles_of
from crackpipe.pipeline.adapt.unlabelled import UnlabelledRequest, fit, spread, summary_lines
from crackpipe.pipeline.dataset.finished_run import read_run
from crackpipe.pipeline.errors import OutputNotWritableError


def test_tiles_are_of_all_parts_of_the_survey(finished: Path) -> None:
    tiles = tiles_of(read_run(finished), 256)
    some = spread(tiles, 5)
    places = sorted(tiles.index(tile) for tile in some)
    assert [place * 5 // len(tiles) for place in places] == [0, 1, 2, 3, 4]
    assert spread(tiles, 1000) == spread(tiles, len(tiles))
    assert {tile.name for tile in spread(tiles, 1000)} == {tile.name for tile in tiles}


@pytest.mark.slow
def test_only_the_statistics_are_new_and_nothing_is_promised(finished: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "folder" / "mine.safetensors"
    fitted = fit(UnlabelledRequest(run=finished, out=out))
    mine, start = load(out), load("lite")
    assert fitted.tiles == 8
    assert (mine.licence, mine.threshold, mine.gsd_range_mm) == (
        start.licence,
        start.threshold,
        start.gsd_range_mm,
    )
    assert mine.data == f"{start.data}, own_survey"
    assert mine.metrics == {"validation": {}}
    for name, tensor in mine.tensors.items():
        is_statistic = name.endswith(("running_mean", "running_var", "num_batches_tracked"))
        assert torch.equal(tensor, start.tensors[name]) != is_statistic, name
    lines = list(summary_lines(fitted))
    assert "nobody knows whether the weights are better" in lines[0]
    assert str(out) in lines[-1]
    with pytest.raises(OutputNotWritableError, match="is there already"):
        fit(UnlabelledRequest(run=finished, out=out))

"""A unit whose batches are under way while the next are cut, as on a GPU."""

from pathlib import Path

import pytest
from helpers import tree_hash
from streams import Shuffled

from crackpipe.model.gpu_batches import GpuBatches
from crackpipe.model.predict import Predictor
from crackpipe.pipeline import inspect_unit
from crackpipe.pipeline.config import Config
from crackpipe.pipeline.plan import Request
from crackpipe.pipeline.run import run


@pytest.mark.parametrize("cascade", [None, 0.1])
def test_batches_under_way_change_nothing(
    survey: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cascade: float | None
) -> None:
    """The run of a CPU, and one whose batches of three go through shuffled streams, a tile at a time."""
    config = Config(batch=3, cascade=cascade, precision="fp32")
    run(Request((survey,), tmp_path / "cpu", config, serial=True))
    predictor = Predictor("lite", device="cpu", precision="fp32")
    gpu = GpuBatches(predictor._forward, "cpu", classes=1, batch=1, streams=Shuffled(5))
    predictor._gpu, predictor.device = gpu, "cuda"
    monkeypatch.setattr(inspect_unit, "_load_predictor", lambda *_: predictor)
    summary = run(Request((survey,), tmp_path / "gpu", config, serial=True))
    assert summary.figures.tiles > 5
    assert len(gpu._slots) > 3  # more than one batch was under way
    assert tree_hash(tmp_path / "gpu") == tree_hash(tmp_path / "cpu")

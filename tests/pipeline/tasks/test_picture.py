"""Lines in one picture: those of a run on it."""

from pathlib import Path

import geopandas as gpd
import numpy as np
from helpers import write_scene

from crackpipe.model.evaluate.predictions import predict_like_a_survey
from crackpipe.model.predict.predictor import Predictor
from crackpipe.model.render.picture import render_window
from crackpipe.model.render.scenes import random_scene
from crackpipe.pipeline.config import Config
from crackpipe.pipeline.request import Request
from crackpipe.pipeline.run import run
from crackpipe.pipeline.tasks.picture import lines_in


def drawn(*lengths_px: int) -> np.ndarray:
    """Horizontal cracks 3 px wide of such lengths, 40 px apart."""
    probability = np.zeros((40 * len(lengths_px) + 40, 200), np.uint8)
    for number, length in enumerate(lengths_px):
        probability[40 * number + 30 : 40 * number + 33, 50 : 50 + length] = 200
    return probability


def test_specks_are_no_lines_and_what_was_not_inspected_has_none() -> None:
    probability = drawn(60, 15)
    assert len(lines_in(probability, 127)) == 1
    assert lines_in(probability, 201) == []
    assert len(lines_in(probability, 127, gsd_mm=2.0)) == 2  # 25 mm are 12.5 px
    probability[probability > 0] = 255
    assert lines_in(probability, 127) == []


def test_a_run_draws_as_many(tmp_path: Path) -> None:
    scene = random_scene(4, 300, 400, gsd_mm=1.0, look="old asphalt", with_cracks=True)
    write_scene(tmp_path / "survey" / "a.tif", scene)
    run(Request((tmp_path / "survey",), tmp_path / "out", Config(device="cpu"), serial=True))
    predictor = Predictor("lite", "cpu")
    probability = predict_like_a_survey(predictor, render_window(scene, 0, 0, 300, 400)[0])
    networks = {
        line.network for line in lines_in(probability, int(np.ceil(254 * predictor.weights.threshold)))
    }
    assert networks
    assert len(networks) == gpd.read_parquet(tmp_path / "out" / "cracks.parquet").network_id.nunique()

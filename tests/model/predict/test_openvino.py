"""The same network in OpenVINO: torch's numbers but for rounding, the same bytes every time."""

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch

from crackpipe.model.predict import openvino
from crackpipe.model.predict.device import DeviceError
from crackpipe.model.predict.predictor import Predictor, arithmetic, resolve_precision
from crackpipe.model.render.picture import render_window
from crackpipe.model.render.scenes import random_scene
from crackpipe.pipeline.config import Config
from crackpipe.pipeline.errors import ConfigurationError


@pytest.fixture(scope="module")
def road() -> Any:
    """Four tiles of a road with cracks."""
    scene = random_scene(5, 896, 896, gsd_mm=1.0, with_cracks=True)
    rgb, _ = render_window(scene, 0, 0, 896, 896)
    return np.stack([rgb[r : r + 448, c : c + 448] for r in (0, 448) for c in (0, 448)])


@pytest.fixture(scope="module")
def fp32() -> Predictor:
    return Predictor("lite", device="cpu", precision="openvino-fp32")


def test_in_fp32_it_is_torch_but_for_rounding(fp32: Predictor, road: Any) -> None:
    plain = Predictor("lite", device="cpu", precision="fp32").predict(road)
    assert np.abs(fp32.predict(road).astype(int) - plain).max() <= 1
    assert (plain >= 127).sum() > 100  # there was something to find


def test_bf16_stays_close(fp32: Predictor, road: Any) -> None:
    """OpenVINO would compute in fp32 where the processor has no bf16, and not say so."""
    if resolve_precision("cpu") == "fp32":
        with pytest.raises(DeviceError, match="does not multiply in bf16"):
            Predictor("lite", device="cpu", precision="openvino-bf16")
        return
    bf16 = Predictor("lite", device="cpu", precision="openvino-bf16").predict(road)
    assert np.abs(bf16.astype(int) - fp32.predict(road)).mean() < 1


def test_a_result_depends_neither_on_position_nor_on_number(fp32: Predictor, road: Any) -> None:
    together = fp32.predict(road)
    order = [2, 0, 3, 1]
    assert np.array_equal(fp32.predict(road[order]), together[order])
    assert np.array_equal(fp32.predict(road[::-1, :, ::-1][:1]), fp32.predict(road[3:, :, ::-1].copy()))
    assert np.array_equal(Predictor("lite", "cpu", "openvino-fp32").predict(road[:1]), together[:1])


@pytest.mark.slow
def test_nobody_is_told_of_it() -> None:
    code = (
        "import sys; from crackpipe.model.predict.predictor import Predictor; "
        "Predictor('lite', 'cpu', 'openvino-fp32'); "
        "print([name for name, module in sys.modules.items() if 'openvino_telemetry' in name and module])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_words() -> None:
    assert resolve_precision("cpu", "openvino-fp32") == "openvino-fp32"
    assert arithmetic("openvino-bf16") == arithmetic("bf16") == torch.bfloat16
    assert Config(precision="openvino-fp32").precision == "openvino-fp32"
    with pytest.raises(ConfigurationError, match="openvino-fp32, openvino-bf16"):
        Config(precision="openvino")
    with pytest.raises(DeviceError, match="on the CPU, not on cuda"):
        resolve_precision("cuda", "openvino-bf16")


def test_without_it_the_error_says_what_to_install() -> None:
    code = (
        "import importlib.util as u; found = u.find_spec; "
        "u.find_spec = lambda name, *a: None if name == 'openvino' else found(name, *a); "
        "from crackpipe.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "run", ".", "--out", "nowhere", "--precision", "openvino-fp32"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "pip install 'crackpipe[openvino]'" in done.stderr
    assert openvino.PREFIX in done.stderr

"""What is known without torch is what torch would say."""

import subprocess
import sys
from pathlib import Path

import pytest

from crackpipe.model.predict import resolve
from crackpipe.model.predict.bare import write_untrained
from crackpipe.model.predict.device import DeviceError
from crackpipe.model.predict.predictor import resolve_device, resolve_precision
from crackpipe.model.weights import folder, metadata
from crackpipe.model.weights.read import load


@pytest.mark.parametrize("name", [*folder.available(), "lite"])
def test_facts_are_those_of_the_loaded_weights(name: str) -> None:
    facts, loaded = resolve.facts_of(name), load(name)
    assert vars(facts) == {field: getattr(loaded, field) for field in vars(facts)}


def test_a_file_is_loaded_and_verified(tmp_path: Path) -> None:
    file = tmp_path / "mine.safetensors"
    write_untrained(file, "one-convolution")
    assert resolve.facts_of(file).name == "mine"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(metadata.WeightsError, match=r"mine\.safetensors"):
        resolve.facts_of(file)


@pytest.mark.parametrize("device", ["auto", "cpu"])
@pytest.mark.parametrize("precision", ["auto", "fp32", "bf16"])
def test_device_and_precision_are_those_of_predict(device: str, precision: str) -> None:
    resolved = resolve_device(device)
    assert resolve.device_and_precision(device, precision) == (
        resolved,
        resolve_precision(resolved, precision),
    )


def test_unknown_words_are_refused() -> None:
    with pytest.raises(DeviceError, match="unknown device"):
        resolve.device_and_precision("gpu", "auto")
    with pytest.raises(DeviceError, match="unknown precision"):
        resolve.device_and_precision("cpu", "fp8")


def test_torch_is_not_imported_for_embedded_weights_on_a_cpu() -> None:
    code = (
        "import sys; from crackpipe.model.predict import resolve as light; light.facts_of('lite'); "
        "light.device_and_precision('cpu', 'auto'); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"

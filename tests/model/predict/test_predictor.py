"""Predictor: the right numbers, whatever the position, the number and the precision."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import WEIGHTS_METADATA
from torch import nn

from crackpipe.model.networks.context_cracknet import ContextCrackNet, ContextCrackNetLite
from crackpipe.model.predict.device import DeviceError
from crackpipe.model.predict.predictor import (
    Predictor,
    UInt8,
    fold_batch_norms,
    resolve_device,
    resolve_precision,
)
from crackpipe.model.weights.read import Weights, load, save

NEEDS_CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


def shaken(net: nn.Module) -> nn.Module:
    """Random weights whose batch norms do something and whose logits spread over 0..1."""
    generator = torch.Generator().manual_seed(11)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            for vector, low, high in (
                (module.running_mean, -0.2, 0.2),
                (module.running_var, 0.5, 2.0),
                (module.weight.data, 0.7, 1.5),
                (module.bias.data, -0.2, 0.2),
            ):
                assert vector is not None
                vector.uniform_(low, high, generator=generator)
    head = list(net.modules())[-1]
    assert isinstance(head, nn.Conv2d)
    head.weight.data *= 30
    return net.eval()


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Weights:
    torch.manual_seed(9)
    path = tmp_path_factory.mktemp("weights") / "drawn.safetensors"
    save(path, shaken(ContextCrackNetLite()), WEIGHTS_METADATA)
    return load(path)


@pytest.fixture(scope="module")
def fp32(weights: Weights) -> Predictor:
    return Predictor(weights, device="cpu", precision="fp32")


def tiles(n: int) -> UInt8:
    return np.random.default_rng(n).integers(0, 256, (n, 448, 448, 3), dtype=np.uint8)


def test_the_numbers_are_those_of_the_plain_network(fp32: Predictor, weights: Weights) -> None:
    """Normalisation, folding and quantisation against one line each."""
    some = tiles(2)
    x = (torch.tensor(some).permute(0, 3, 1, 2).float() - 127.0) / 128.0
    with torch.inference_mode():
        p = torch.sigmoid(weights.build()(x)).numpy()
    probability = fp32.predict(some)
    assert probability.dtype == np.uint8
    assert probability.shape == (2, 1, 448, 448)
    assert p.min() < 0.2
    assert p.max() > 0.8
    assert np.abs(probability - 254.0 * p).max() < 0.5 + 1e-3


def test_a_result_depends_neither_on_position_nor_on_number(fp32: Predictor) -> None:
    some = tiles(4)
    together = fp32.predict(some)
    order = [2, 0, 3, 1]
    assert np.array_equal(fp32.predict(some[order]), together[order])
    assert np.array_equal(fp32.predict(some[3:]), together[3:])
    assert np.array_equal(fp32.predict(some), together)


def test_no_tiles_no_probabilities(fp32: Predictor) -> None:
    assert fp32.predict(tiles(3)[:0]).shape == (0, 1, 448, 448)


def test_read_only_and_strided_tiles(fp32: Predictor) -> None:
    wide = tiles(2)
    strided = wide[::-1, :, ::-1]
    strided.setflags(write=False)
    assert np.array_equal(fp32.predict(strided), fp32.predict(strided.copy()))


@pytest.mark.parametrize("shape", [(448, 448, 3), (1, 448, 448, 1), (1, 3, 448, 448), (1, 447, 448, 3)])
def test_other_shapes_are_refused(fp32: Predictor, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="needed"):
        fp32.predict(np.zeros(shape, np.uint8))
    with pytest.raises(ValueError, match="float32"):
        fp32.predict(np.zeros((1, 448, 448, 3), np.float32))


def test_bf16_stays_close(fp32: Predictor, weights: Weights) -> None:
    some = tiles(1)
    difference = np.abs(
        Predictor(weights, device="cpu", precision="bf16").predict(some).astype(int) - fp32.predict(some)
    )
    assert difference.mean() < 4  # of 254, with weights that make it hard


def test_k_classes_are_softmax_without_background(tmp_path: Path) -> None:
    torch.manual_seed(10)
    save(
        tmp_path / "w.safetensors",
        ContextCrackNetLite(classes=3),
        WEIGHTS_METADATA | {"classes": ["alligator", "linear"]},
    )
    predictor = Predictor(tmp_path / "w.safetensors", device="cpu", precision="fp32")
    some = tiles(1)
    probability = predictor.predict(some)
    x = (torch.tensor(some).permute(0, 3, 1, 2).float() - 127.0) / 128.0
    with torch.inference_mode():
        p = torch.softmax(predictor.weights.build()(x), dim=1).numpy()
    assert probability.shape == (1, 2, 448, 448)
    assert np.abs(probability - 254.0 * p[:, 1:]).max() < 0.5 + 1e-3


def test_what_is_no_number_is_not_inspected(weights: Weights) -> None:
    predictor = Predictor(weights, device="cpu", precision="fp32")
    with torch.no_grad():
        predictor._net.get_parameter("head.1.bias").fill_(float("nan"))
    assert (predictor.predict(tiles(1)) == 255).all()


@pytest.mark.parametrize("network", [ContextCrackNet, ContextCrackNetLite])
def test_folding_changes_nothing(network: type[nn.Module]) -> None:
    """In float64, at a size that CAGM does not stop."""
    torch.manual_seed(12)
    net = shaken(network(cagm=False)).double()
    x = torch.randn(1, 3, 96, 96, dtype=torch.float64)
    with torch.inference_mode():
        before = net(x)
        fold_batch_norms(net)
        assert not any(isinstance(m, nn.BatchNorm2d) for m in net.modules())
        assert torch.allclose(net(x), before, rtol=1e-9, atol=1e-9 * float(before.abs().max()))


def test_devices() -> None:
    assert resolve_device("cpu") == "cpu"
    assert resolve_device("auto") == ("cuda" if torch.cuda.is_available() else "cpu")
    for word in ("gpu", "cuda:x", "cpu:0", "cudax", ""):
        with pytest.raises(DeviceError, match="unknown device"):
            resolve_device(word)
    count = torch.cuda.device_count()
    with pytest.raises(DeviceError, match=f"sees {count} CUDA devices"):
        resolve_device(f"cuda:{count}")


def test_precisions() -> None:
    assert resolve_precision("cpu", "fp32") == "fp32"
    assert resolve_precision("cpu", "bf16") == "bf16"
    assert resolve_precision("cpu", "auto") in ("fp32", "bf16")
    with pytest.raises(DeviceError, match="fp16"):
        resolve_precision("cpu", "fp16")


def test_a_batch_of_nothing_is_refused(weights: Weights) -> None:
    with pytest.raises(ValueError, match="batch is 0"):
        Predictor(weights, device="cpu", batch=0)


def test_begun_together_and_collected_in_another_order(fp32: Predictor) -> None:
    first, second = tiles(2), tiles(3)
    begun = [fp32.begin(first), fp32.begin(second)]
    assert np.array_equal(begun[1](), fp32.predict(second))
    assert np.array_equal(begun[0](), fp32.predict(first))


@NEEDS_CUDA
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_on_a_gpu_position_and_number_do_not_matter(weights: Weights, precision: str) -> None:
    predictor = Predictor(weights, device="cuda", precision=precision, batch=4)
    some = tiles(11)
    together = predictor.predict(some)
    order = np.random.default_rng(0).permutation(11)
    assert np.array_equal(predictor.predict(some[order]), together[order])
    assert np.array_equal(predictor.predict(some[:1]), together[:1])


@NEEDS_CUDA
def test_a_gpu_agrees_with_the_cpu(weights: Weights, fp32: Predictor) -> None:
    some = tiles(3)
    gpu = Predictor(weights, device="cuda", precision="fp32").predict(some)
    assert np.abs(gpu.astype(int) - fp32.predict(some)).max() <= 1


@NEEDS_CUDA
def test_threads_share_a_gpu(weights: Weights) -> None:
    predictor = Predictor(weights, device="cuda", precision="fp32", batch=2)
    some = [tiles(n) for n in range(1, 9)]
    alone = [predictor.predict(each) for each in some]
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(predictor.predict, some))
    assert all(np.array_equal(*pair) for pair in zip(alone, together, strict=True))


@NEEDS_CUDA
def test_a_gpu_whose_memory_is_short_takes_fewer_at_a_time(weights: Weights) -> None:
    some = tiles(3)
    usual = Predictor(weights, device="cuda", precision="fp32", batch=1).predict(some)
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(0.01)
    try:
        crowded = Predictor(weights, device="cuda", precision="fp32", batch=256)
        assert np.abs(crowded.predict(some).astype(int) - usual).max() <= 1
        assert crowded.batch < 256
        assert crowded.batch_reduced
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)

"""Ways to run a network on the CPU: time per tile, share of the matrix rate, change of the mask.

    python benchmarks/speed/cpu_inference.py [--network lite|full] [--threads 1] [--rounds 7]
                                             [--images FOLDER] [--compile]

All ways take turns within each round, so that other work on the machine falls on all of them; figures are
medians over the rounds. CPU time counts, wall time stands beside it. The rate of a 2048 x 2048 matrix product
in bf16 is measured in the same turns. What is not installed (openvino, nncf, onnxruntime with onnx and
onnxscript) is left out. Start it with MALLOC_MMAP_THRESHOLD_=1073741824
MALLOC_TRIM_THRESHOLD_=1073741824, as the workers of a run are.

Tiles are cut from FOLDER's images, or from a rendered road. Differences are against fp32 as trained: the
largest one of a probability (of 254) and the share of crack pixels that changed sides of the threshold.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from PIL import Image
from seconds_per_tile import NETWORKS, random_weights
from torch import Tensor, nn

from crackpipe.model.networks.context_cracknet import TILE_PX
from crackpipe.model.predict import cpu_convolutions
from crackpipe.model.predict.predictor import PRECISIONS, Predictor, fold_batch_norms
from crackpipe.model.render.picture import render_window
from crackpipe.model.render.scenes import random_scene
from crackpipe.model.weights.read import Weights, load

Tiles = np.ndarray
Way = Callable[[Tiles], Tiles]
"""uint8 (N, 448, 448, 3) -> uint8 (N, 448, 448), round(254 p)."""

MATRIX_PX = 2048


def normalised(weights: Weights, tile: Tiles) -> Tensor:
    x = torch.from_numpy(tile[None].copy()).permute(0, 3, 1, 2).float()
    mean, std = (torch.tensor(each).view(1, 3, 1, 1) for each in (weights.mean, weights.std))
    return (x - mean) / std


def quantised(logits: Tensor) -> Tiles:
    return torch.round(254 * torch.sigmoid(logits.float())).to(torch.uint8)[0, 0].numpy()


def per_tile(weights: Weights, network: Callable[[Tensor], Tensor], tiles: Tiles) -> Tiles:
    with torch.inference_mode():
        return np.stack([quantised(network(normalised(weights, tile))) for tile in tiles])


def folded(weights: Weights) -> nn.Module:
    net = weights.build()
    fold_batch_norms(net)
    return net


def in_torch(weights: Weights, precision: str, *, fold: bool, compiled: bool = False) -> Way:
    dtype = PRECISIONS[precision]
    net: Any = (folded(weights) if fold else weights.build()).to(dtype, memory_format=torch.channels_last)
    run = torch.compile(net) if compiled else net
    return partial(
        per_tile, weights, lambda x: run(x.to(dtype).contiguous(memory_format=torch.channels_last))
    )


def in_crackpipe(weights: Weights, precision: str) -> Way:
    predictor = Predictor(weights, device="cpu", precision=precision)
    return lambda tiles: predictor.predict(tiles)[:, 0]


def in_openvino(weights: Weights, precision: str, tiles: Tiles) -> Way:
    import openvino

    example = normalised(weights, tiles[0])
    model = openvino.convert_model(folded(weights), example_input=example, input=list(example.shape))
    if precision == "int8":
        import nncf

        samples = nncf.Dataset([normalised(weights, tile).numpy() for tile in tiles])
        model = nncf.quantize(model, samples, subset_size=len(tiles))
    hints = {
        "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32",
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "NUM_STREAMS": 1,
    }
    request = openvino.Core().compile_model(model, "CPU", hints).create_infer_request()
    return partial(per_tile, weights, lambda x: torch.from_numpy(request.infer([x.numpy()])[0]))


def in_onnxruntime(weights: Weights, precision: str, tiles: Tiles) -> Way:
    import onnxruntime
    from onnxruntime import quantization

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    with TemporaryDirectory() as folder:
        file = Path(folder) / "net.onnx"
        example = normalised(weights, tiles[0])
        torch.onnx.export(folded(weights), (example,), file, dynamo=True, external_data=False, verbose=False)
        name = onnxruntime.InferenceSession(file, options).get_inputs()[0].name
        if precision == "int8":

            class Samples(quantization.CalibrationDataReader):
                def __init__(self) -> None:
                    self.left = [{name: normalised(weights, tile).numpy()} for tile in tiles]

                def get_next(self) -> dict[str, np.ndarray] | None:
                    return self.left.pop() if self.left else None

            quantization.quantize_static(file, file.with_name("int8.onnx"), Samples(), per_channel=True)
            file = file.with_name("int8.onnx")
        session = onnxruntime.InferenceSession(file, options)
    return partial(per_tile, weights, lambda x: torch.from_numpy(session.run(None, {name: x.numpy()})[0]))


def ways(weights: Weights, tiles: Tiles, *, others: bool, compiled: bool) -> dict[str, Way]:
    found = {
        "torch fp32, as trained": in_torch(weights, "fp32", fold=False),
        "torch fp32, batch norms folded": in_torch(weights, "fp32", fold=True),
        "torch bf16, batch norms folded": in_torch(weights, "bf16", fold=True),
        "crackpipe fp32": in_crackpipe(weights, "fp32"),
        "crackpipe bf16": in_crackpipe(weights, "bf16"),
    }
    if compiled:
        found["torch.compile bf16"] = in_torch(weights, "bf16", fold=True, compiled=True)
    if not others:
        return found
    if find_spec("openvino"):
        for precision in ("fp32", "bf16", *(["int8"] if find_spec("nncf") else [])):
            try:
                found[f"OpenVINO {precision}"] = in_openvino(weights, precision, tiles)
            except RuntimeError as error:  # its own kind for a model that a release cannot compile
                print(f"OpenVINO {precision}: {str(error).strip().splitlines()[-1]}")
    if find_spec("onnxruntime") and find_spec("onnxscript"):
        for precision in ("fp32", "int8"):
            found[f"ONNX Runtime {precision}"] = in_onnxruntime(weights, precision, tiles)
    return found


def some_tiles(folder: Path | None) -> Tiles:
    if folder is None:
        scene = random_scene(5, TILE_PX * 2, TILE_PX * 2, gsd_mm=1.0, with_cracks=True)
        images = [render_window(scene, 0, 0, TILE_PX * 2, TILE_PX * 2)[0]]
    else:
        files = sorted(file for file in folder.iterdir() if file.suffix.lower() in (".jpg", ".png"))[:4]
        images = [np.asarray(Image.open(file).convert("RGB")) for file in files]
    return np.stack(
        [
            image[row : row + TILE_PX, col : col + TILE_PX]
            for image in images
            for row in range(0, min(2 * TILE_PX, image.shape[0]) - TILE_PX + 1, TILE_PX)
            for col in range(0, min(2 * TILE_PX, image.shape[1]) - TILE_PX + 1, TILE_PX)
        ]
    )


def seconds(work: Callable[[], object]) -> tuple[float, float]:
    """CPU and wall seconds."""
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    return time.process_time() - cpu, time.perf_counter() - wall


def convolutions_alone(weights: Weights, tile: Tiles) -> Callable[[], object]:
    """The packed convolutions of one tile, each on the map it gets: the part that no fusing can remove."""
    predictor = Predictor(weights, device="cpu", precision="bf16")
    calls: list[tuple[nn.Module, Tensor]] = []
    hooks = [
        module.register_forward_hook(lambda m, given, _: calls.append((m, given[0])))
        for module in predictor._net.modules()
        if isinstance(module, cpu_convolutions.PackedConvolution | nn.ConvTranspose2d)
    ]
    predictor.predict(tile[None])
    for hook in hooks:
        hook.remove()

    def run() -> None:
        with torch.inference_mode():
            for module, given in calls:
                module(given)

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description="Ways to run a network on the CPU.")
    parser.add_argument("--network", choices=list(NETWORKS), default="lite")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--compile", action="store_true", help="also torch.compile; needs a C++ compiler")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--images", type=Path, help="folder of road images; default: a rendered road")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    lite = arguments.network == "lite"
    weights = load("lite") if lite else random_weights("full")
    tiles = some_tiles(arguments.images)[: 12 if lite else 2]
    found = ways(weights, tiles, others=lite, compiled=arguments.compile)
    results = {name: way(tiles) for name, way in found.items()}
    matrix = torch.randn(MATRIX_PX, MATRIX_PX).bfloat16()
    turns: dict[str, Callable[[], object]] = {"matrix": lambda: matrix @ matrix}
    turns |= {name: partial(way, tiles[:1]) for name, way in found.items()}
    if cpu_convolutions.available("bf16"):
        turns["its convolutions alone"] = convolutions_alone(weights, tiles[0])
    took: dict[str, list[tuple[float, float]]] = {name: [] for name in turns}
    for _ in range(arguments.rounds):
        for name, work in turns.items():
            work()
            took[name].append(seconds(work))
    report(arguments.network, took, results, weights.threshold)


def report(
    network: str, took: dict[str, list[tuple[float, float]]], results: dict[str, Tiles], threshold: float
) -> None:
    flop, matrix_cpu_s = NETWORKS[network][1], median(cpu for cpu, _ in took.pop("matrix"))
    rate = 2 * MATRIX_PX**3 / matrix_cpu_s
    print(f"{network}: {flop / 1e9:.1f} GFLOP per tile, bf16 matrix product {rate / 1e9:.0f} GFLOP per CPU s")
    print(f"{'':32} CPU ms  wall ms  share  largest difference  crack pixels changed")
    reference = results["torch fp32, as trained"].astype(int)
    limit = np.ceil(254 * threshold)
    for precision in PRECISIONS:
        same = np.array_equal(
            results[f"crackpipe {precision}"], results[f"torch {precision}, batch norms folded"]
        )
        print(f"crackpipe {precision}: {'the same bytes as' if same else 'NOT the bytes of'} folded torch")
    for name, times in took.items():
        cpu_s, wall_s = (median(each) for each in zip(*times, strict=True))
        line = f"{name:32} {1e3 * cpu_s:6.1f}  {1e3 * wall_s:7.1f}  {flop / cpu_s / rate:5.2f}"
        if name in results:
            changed = np.count_nonzero((results[name] >= limit) != (reference >= limit))
            share = changed / max(1, np.count_nonzero(reference >= limit))
            line += f"  {np.abs(results[name] - reference).max():18d}  {100 * share:18.2f} %"
        print(line)


if __name__ == "__main__":
    main()

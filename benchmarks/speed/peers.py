"""The pipeline beside geoai-py and omnicloudmask: one strip, one network of one convolution, masks only.

    python benchmarks/speed/peers.py STRIP.tif --folder /tmp/peers [--rounds 3]

Each peer gets an environment of its own below --folder (made once, with the same torch as here). The rounds
go in turn: bare loop and whole prediction of one peer, of the other, then `crackpipe benchmark`. Tiles are
counted alike for all: the strip's cores of 384 x 384 px, with 64 px of overlap between tiles of 448. `cpu` is
the quotient of CPU seconds per tile, which other work on the machine disturbs less. Peers use both cores by
torch's threads and by threads of their own, crackpipe by processes.
"""

import argparse
import json
import math
import resource
import runpy
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

PEERS = {"geoai": "geoai-py", "omnicloudmask": "omnicloudmask"}
TILE_PX, OVERLAP_PX, BATCH = 448, 64, 8


# ---- inside a peer's environment, which has no crackpipe


def network() -> Any:
    """A convolution of the size of `crackpipe.model.networks.one_convolution.OneConvolution`."""
    import torch
    from torch import nn

    convolution = nn.Conv2d(3, 1, 3, padding=1)
    with torch.no_grad():
        convolution.weight.fill_(-8.0 / 27)
        convolution.bias.fill_(-8.5)
    return nn.Sequential(convolution, nn.Sigmoid()).eval()


def rgb_strip(strip: Path, folder: Path) -> Path:
    """The peers want three bands: a grey strip three times, with the strip's own compression."""
    import numpy as np
    import rasterio

    with rasterio.open(strip) as source:
        if source.count == 3:
            return strip
        target = folder / "rgb.tif"
        profile = {**source.profile, "count": 3, "interleave": "pixel", "predictor": 2}
        grey = source.read(1)
    with rasterio.open(target, "w", **profile) as file:
        file.write(np.stack([grey] * 3))
    return target


def predict_with(peer: str, net: Any, strip: Path, folder: Path) -> Callable[[], object]:
    if peer == "geoai":
        from geoai.inference import predict_geotiff

        return lambda: predict_geotiff(
            net, str(strip), str(folder / "geoai.tif"), tile_size=TILE_PX, overlap=OVERLAP_PX,
            batch_size=BATCH, num_classes=1, device="cpu", verbose=False,
        )  # fmt: skip
    import rasterio
    from omnicloudmask import predict_from_load_func

    def load(input_path: Path) -> Any:
        with rasterio.open(input_path) as source:
            return source.read(), source.profile

    return lambda: predict_from_load_func(
        [strip], load, patch_size=TILE_PX, patch_overlap=OVERLAP_PX, batch_size=BATCH, inference_device="cpu",
        custom_models=net, pred_classes=1, export_confidence=True, softmax_output=False, output_dir=folder,
    )  # fmt: skip


def cpu_s() -> float:
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def inside(peer: str, strip: Path, tiles: int) -> dict[str, float]:
    """One round: the bare loop over as many tiles, then the peer's prediction; seconds of both."""
    import torch

    # the operators that torchvision misses beside a CPU torch are gone when this is
    operators = runpy.run_path(str(Path(__file__).parents[2] / "model" / "networks" / "torchvision_ops.py"))
    net = network()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        predict = predict_with(peer, net, strip, folder)
        batch = torch.rand(BATCH, 3, TILE_PX, TILE_PX)
        with torch.inference_mode():
            net(batch)
            wall, cpu = time.perf_counter(), cpu_s()
            for _ in range(math.ceil(tiles / BATCH)):
                net(batch)
            bare = time.perf_counter() - wall, cpu_s() - cpu
        predict()  # caches, imports
        wall, cpu = time.perf_counter(), cpu_s()
        predict()
        whole = time.perf_counter() - wall, cpu_s() - cpu
    del operators
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    times = dict(zip(("bare_s", "bare_cpu_s", "whole_s", "whole_cpu_s"), (*bare, *whole), strict=True))
    return {**times, "peak_mib": peak_mib}


# ---- outside


def environment(folder: Path, peer: str) -> Path:
    """The Python of a peer's environment, made if it is not there. Prints what pip said if that fails."""
    python = folder / peer / "bin" / "python"
    if not (folder / peer / "complete").exists():
        venv.create(folder / peer, with_pip=True, clear=True)
        torch = f"torch=={metadata.version('torch').partition('+')[0]}"
        # pip's resolver was not through geoai-py's dependencies in 40 minutes, uv's is in seconds
        subprocess.run([python, "-m", "pip", "install", "-q", "uv"], check=True)
        subprocess.run(
            [python, "-m", "uv", "pip", "install", "-q", "--python", python, torch, PEERS[peer]], check=True
        )
        (folder / peer / "complete").touch()
    return python


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("strip", type=Path)
    parser.add_argument("--folder", type=Path, default=Path("/tmp/peers"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--inside", choices=[*PEERS], help="what the script calls itself with")
    parser.add_argument("--tiles", type=int, help="with --inside")
    arguments = parser.parse_args()
    if arguments.inside:
        print(json.dumps(inside(arguments.inside, arguments.strip, arguments.tiles)))
        return
    import rasterio

    with rasterio.open(arguments.strip) as source:
        tiles = math.ceil(source.height / 384) * math.ceil(source.width / 384)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    strip = rgb_strip(arguments.strip, arguments.folder)
    pythons = {peer: environment(arguments.folder, peer) for peer in PEERS}
    rounds: dict[str, list[dict[str, float]]] = {peer: [] for peer in [*PEERS, "crackpipe"]}
    for _ in range(arguments.rounds):
        for peer, python in pythons.items():
            command = [python, __file__, str(strip), "--inside", peer, "--tiles", str(tiles)]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            rounds[peer].append(json.loads(done.stdout.splitlines()[-1]))
        rounds["crackpipe"].append(ours(strip))
    print(f"{strip.name}, {tiles} tiles, one convolution, masks only, median of {arguments.rounds} rounds")
    print("                 bare/s   whole/s    ratio      cpu   tiles per CPU s   peak MiB")
    for name, of_rounds in rounds.items():
        middle = {key: statistics.median(one[key] for one in of_rounds) for key in of_rounds[0]}
        bare_s, whole_s, whole_cpu_s = (middle[key] for key in ("bare_s", "whole_s", "whole_cpu_s"))
        print(
            f"{name:14} {tiles / bare_s:8.1f} {tiles / whole_s:9.1f} {bare_s / whole_s:8.3f} "
            f"{middle['bare_cpu_s'] / whole_cpu_s:8.3f} {tiles / whole_cpu_s:17.1f} "
            f"{middle['peak_mib']:10.0f}"
        )


def ours(strip: Path) -> dict[str, float]:
    """One round of `crackpipe benchmark`, in the peers' terms."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "figures.json"
        options = ["--network", "one-convolution", "--masks-only", "--rounds", "1", "--json", str(file)]
        command = [sys.executable, "-m", "crackpipe", "benchmark", str(strip), *options]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        figures = json.loads(file.read_text())
    return {
        "bare_s": figures["tiles"] / figures["bare_tiles_per_s"],
        "bare_cpu_s": figures["cpu_ratio"] * figures["cpu_s"],
        "whole_s": figures["wall_s"],
        "whole_cpu_s": figures["cpu_s"],
        "peak_mib": figures["peak_rss_mib"],
    }


if __name__ == "__main__":
    main()

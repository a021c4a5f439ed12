"""Room 2: tiles become probability. `Predictor` is given out here.

predictor         tiles, uint8 -> probability, uint8
suspicion         levels of log-odds, by which --screen decides
gpu_batches       copies, network and copies back, overlapped on a GPU
cpu_convolutions  convolutions as a CPU computes them fastest
encoder           the first part of the network: how familiar a tile is
openvino          the network in OpenVINO
device            the words for precisions, and the error about devices
resolve           which device and precision `auto` means, without torch where possible
bare              the network alone, timed
"""

from typing import Any


def __getattr__(name: str) -> Any:
    # Others rely on `crackpipe.model.predict.Predictor`. It waits until it is asked for: it imports torch.
    if name == "Predictor":
        from crackpipe.model.predict.predictor import Predictor

        return Predictor
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

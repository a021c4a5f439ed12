"""The network in OpenVINO, for the CPU: an extra, asked for by name (`--precision openvino-bf16`).

It fuses what torch leaves between the convolutions, additions and concatenations. It rounds in other places
than torch, so its probabilities are not exactly torch's.
"""

import importlib.util
import sys
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from crackpipe.model.networks.context_cracknet import TILE_PX
from crackpipe.model.predict.device import DeviceError

PREFIX = "openvino-"
"""What the names of its precisions begin with: `openvino-fp32`, `openvino-bf16`."""


def check(device: str) -> None:
    """Raise DeviceError if OpenVINO is not installed, or if the device is no CPU."""
    if device != "cpu":
        raise DeviceError(f"OpenVINO runs the network on the CPU, not on {device}: use --device cpu")
    if importlib.util.find_spec("openvino") is None:
        raise DeviceError(f"precision {PREFIX}* needs OpenVINO: pip install 'crackpipe[openvino]'")


def compiled(
    net: nn.Module, mean: tuple[float, ...], std: tuple[float, ...], dtype: torch.dtype
) -> Callable[[Tensor], Tensor]:
    """The network as a function from tiles, (1, 448, 448, 3) uint8, to logits, (1, channels, 448, 448) fp32.

    `net` is in fp32 with its batch norms folded, `mean` and `std` are in grey values of R, G, B, `dtype`
    is float32 or bfloat16. Takes as many threads as torch has now.
    """
    # its telemetry package reports every import to a server; where that package is missing, nothing is sent
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino
    from openvino.preprocess import PrePostProcessor

    shape = [1, 3, TILE_PX, TILE_PX]
    with warnings.catch_warnings(
        action="ignore"
    ):  # it warns that the shape of a tile is taken as fixed, which it is
        model = openvino.convert_model(net, example_input=torch.zeros(shape), input=shape)
    steps = PrePostProcessor(model)
    tiles = steps.input().tensor()
    tiles.set_element_type(openvino.Type.u8).set_layout(openvino.Layout("NHWC"))
    steps.input().model().set_layout(openvino.Layout("NCHW"))
    steps.input().preprocess().convert_element_type(openvino.Type.f32).mean(list(mean)).scale(list(std))
    hints: dict[str, Any] = {
        "INFERENCE_PRECISION_HINT": "bf16" if dtype == torch.bfloat16 else "f32",
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "NUM_STREAMS": 1,
        "ENABLE_CPU_PINNING": False,  # with it, every worker would take the first core
    }
    request = openvino.Core().compile_model(steps.build(), "CPU", hints).create_infer_request()

    def logits(of: Tensor) -> Tensor:
        return torch.from_numpy(request.infer([of.numpy()], share_inputs=True)[0])

    return logits

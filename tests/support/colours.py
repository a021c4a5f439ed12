"""A real lite network that tells classes by colour, so that what a run makes of several classes is known."""

from pathlib import Path

import torch

from crackpipe.model.networks.context_cracknet import ContextCrackNetLite
from crackpipe.model.weights.read import save

CLASSES = ("crack", "joint", "lane_paint")
KINDS = ("crack", "line", "area")


def save_colour_weights(
    path: Path, classes: tuple[str, ...] = CLASSES, kinds: tuple[str, ...] = KINDS
) -> Path:
    """Crack where a pixel is redder than green by 20 grey values, then joint green, lane_paint blue.

    The last layers see the image itself (channels 8 to 10 after the decoder's): all other weights are 0.
    """
    net = ContextCrackNetLite(len(classes) + 1).eval()
    first, norm, last = net.head[0][0], net.head[0][1], net.head[1]
    with torch.no_grad():
        for parameter in net.head.parameters():
            parameter.zero_()
        norm.weight.fill_(1.0)
        for k, (own, other) in enumerate([(0, 1), (1, 0), (2, 0)][: len(classes)]):
            first.weight[k, 8 + own, 1, 1], first.weight[k, 8 + other, 1, 1] = 128.0, -128.0
            last.weight[k + 1, k] = 0.5
        last.bias[1:] = -10.0  # 20 grey values of difference are as likely as sound
    described = {"classes": classes, "kinds": kinds, "training_gsd_mm": 1.0, "threshold": 0.5}
    described |= {"contrast_c0": 60.0, "data": "colours", "licence": "CC0-1.0", "metrics": {}}
    save(path, net, described)
    return path

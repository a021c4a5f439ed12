"""A network that takes next to no time, so that a run's time is that of the pipeline.

For `crackpipe benchmark --network one-convolution` and the benches. It finds dark pixels, not cracks.
"""

import torch
from torch import Tensor, nn

_DARK_GREY = 60.0


class OneConvolution(nn.Module):
    """One 3 x 3 convolution without training: crack where the mean of 3 x 3 pixels is darker than 60.

    `classes` is the number of output channels. `rfem` and `cagm` change nothing; they are taken so that all
    networks are built alike.
    """

    INPUT_MEAN = (128.0, 128.0, 128.0)
    INPUT_STD = (64.0, 64.0, 64.0)

    def __init__(self, classes: int = 1, *, rfem: bool = False, cagm: bool = False) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, classes, 3, padding=1)
        with torch.no_grad():
            self.convolution.weight.fill_(-8.0 / 27)
            self.convolution.bias.fill_(8.0 * (_DARK_GREY - 128.0) / 64.0)  # type: ignore[union-attr]

    def forward(self, x: Tensor) -> Tensor:
        """Normalised (N, 3, H, W) -> logits (N, classes, H, W)."""
        logits: Tensor = self.convolution(x)
        return logits

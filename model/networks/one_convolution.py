"""A network that costs next to nothing: what is left of a run's time is the pipeline's own.

For `crackpipe benchmark --network one-convolution` and the benches. It finds dark pixels, not cracks.
"""

import torch
from torch import Tensor, nn

_DARK_GREY = 60.0


class OneConvolution(nn.Module):
    """One 3 x 3 convolution without training: crack where the mean of 3 x 3 pixels is darker than 60.

    Args:
        classes: channels of the logits.
        rfem, cagm: there are none; taken so that all networks are built alike.
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

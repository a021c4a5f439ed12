"""The augmentations that Context-CrackNet was published with, by torchvision: flips, quarter turns, shift,
scale and rotation, Gaussian noise, colour jitter (arXiv 2501.14413).

Strengths, which the paper leaves open, are the defaults of Albumentations' ShiftScaleRotate, GaussNoise and
ColorJitter, which the published code calls by these names. Frame: pixels are (row, col).
"""

import numpy as np
import torch
from numpy.typing import NDArray

from crackpipe.model import torchvision_ops  # noqa: F401  before torchvision

from torchvision import tv_tensors  # isort: skip
from torchvision.transforms import v2  # isort: skip

MARGIN_PX = 160
"""Of road around a tile, that no turned or shifted corner comes from outside: half of 448 (sqrt2 / 0.9 - 1)
for turn and scale, and 28 for the shift, rounded up."""

_SHIFT_PX = 28.0  # 1/16 of a tile
_ODDS = 0.5
_TURN_DEG, _SCALE = 45, (0.9, 1.1)
_NOISE_SD = 0.03  # of 0..1
_JITTER = 0.2


def augment(
    image: NDArray[np.uint8], label: NDArray[np.uint8], size_px: int, seed: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A tile of `size_px` from the middle of one that has `MARGIN_PX` around it.

    `image` uint8 (S, S, 3) RGB, `label` uint8 (S, S), S = size_px + 2 MARGIN_PX. The same seed gives the same
    tile, and torch's own generator stays as it was.
    """
    whole_px = image.shape[0]
    transform = v2.Compose(
        [
            v2.RandomHorizontalFlip(),
            v2.RandomVerticalFlip(),
            v2.RandomChoice([v2.RandomRotation((turn, turn)) for turn in (0, 90, 180, 270)]),
            v2.RandomApply(
                [
                    v2.RandomAffine(
                        _TURN_DEG,
                        translate=(_SHIFT_PX / whole_px, _SHIFT_PX / whole_px),
                        scale=_SCALE,
                        interpolation=v2.InterpolationMode.BILINEAR,
                    )
                ],
                _ODDS,
            ),
            v2.CenterCrop(size_px),
            v2.RandomApply([v2.ColorJitter(_JITTER, _JITTER, _JITTER, _JITTER / 2)], _ODDS),
            v2.ToDtype({tv_tensors.Image: torch.float32, "others": None}, scale=True),
            v2.RandomApply([v2.GaussianNoise(sigma=_NOISE_SD)], _ODDS),
            v2.ToDtype({tv_tensors.Image: torch.uint8, "others": None}, scale=True),
        ]
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        pixels, labels = transform(
            tv_tensors.Image(torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)),
            tv_tensors.Mask(torch.from_numpy(np.ascontiguousarray(label))),
        )
    return pixels.permute(1, 2, 0).numpy(), labels.numpy()

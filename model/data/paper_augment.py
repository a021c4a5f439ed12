"""The augmentations of the paper of Context-CrackNet (arXiv 2501.14413), by torchvision: flips, quarter
turns, shift, scale and rotation, Gaussian noise, colour jitter.

The paper does not say how strong they are. Here they are as strong as in the authors' code (github.com/
Blessing988/Context-CrackNet, src/data/datasets.py at d30a572), which calls Albumentations:
ShiftScaleRotate(0.1, 0.1, 30) and ColorJitter(0.2, 0.2, 0.2, 0.1) with odds 0.5, and GaussNoise with odds
0.2. That code leaves the strength of the noise to the library. Albumentations 1.3.1 has a variance of 10 to
50 squared grey values, and the middle is taken here. (1.4.24 and 2.0.8 have deviations of 0.2 to 0.44 of the
whole range, which hide any crack.) Two things differ from the authors' code: the corners of a turned tile
show real road and not black, and the four quarter turns are equally likely.
Frame: pixels are (row, col).
"""

import numpy as np
import torch
from numpy.typing import NDArray

from crackpipe.model.networks import torchvision_ops  # noqa: F401  before torchvision

from torchvision import tv_tensors  # isort: skip
from torchvision.transforms import v2  # isort: skip

MARGIN_PX = 185
"""Road around a tile, px, so wide that no corner of a turned and shifted tile comes from outside.

The farthest corner lies 224 + 45 px from the middle in both axes. It is turned by 30 degrees, and its
distance is divided by the scale 0.9."""

_SHIFT_PX = 44.8  # 0.1 of a tile
_ODDS, _NOISE_ODDS = 0.5, 0.2
_TURN_DEG, _SCALE = 30, (0.9, 1.1)
_NOISE_SD = 30**0.5 / 255  # of 0..1
_JITTER = 0.2


def augment(
    image: NDArray[np.uint8], label: NDArray[np.uint8], size_px: int, seed: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Augment a square of road and cut a tile of `size_px` out of its middle.

    `image` is uint8 (S, S, 3) RGB and `label` uint8 (S, S), with S = size_px + 2 MARGIN_PX. Returns both with
    `size_px` in place of S. The same seed gives the same tile, and torch's own generator stays as it was.
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
            v2.RandomApply([v2.GaussianNoise(sigma=_NOISE_SD)], _NOISE_ODDS),
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

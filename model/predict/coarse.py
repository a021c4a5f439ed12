"""The coarse look: the network sees pavement shrunk, where cracks too wide for a close look are thin again.

The network was taught thin cracks and takes broad dark bands for tar, so it leaves cracks of 6 px and more
open. Shrunk to about a quarter they are 2 to 4 px wide, and it knows them. This is the second level of an
image pyramid (Adelson et al. 1984), by the same network. One look covers 4 x 4 cores with the halo of their
tiles, so it costs a sixteenth of their close looks.

A coarse look is sooner sure than a close one: seen small, more looks like a crack. So its logit is lowered by
what the weights state (`coarse_shift`). It is also rough: seen small, the meshes of a fine field are a blot.
So it has a say only where the close look finds nothing nearby.
"""

import math
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

TILE_PX = 448  # of `networks.context_cracknet`, which takes long to import

CORES = 4
"""Along each side of a look. They lie on the fixed grid of the image."""

_FOUND = 25
"""At this probability, round(254 p), or above, a close look has found something: 0.1."""

_NEAR_PX = 8
_CERTAIN, _NOT_INSPECTED = 254, 255
UInt8 = NDArray[np.uint8]


def side_px(core_px: int, halo_px: int) -> int:
    """Side of a look in pixels of the image."""
    return CORES * core_px + 2 * halo_px


class TakesLooks(Protocol):
    """What a job, and the weights themselves, say of coarse looks."""

    @property
    def coarse_shift(self) -> float | None:
        """What is added to their logit; None: none is taken."""

    @property
    def gsd_range_mm(self) -> tuple[float, float] | None:
        """Finest and coarsest GSD, mm/px, that the weights were trained to see as it is; None: not stated."""


def shift_at(gsd_mm: float, halo_px: int, weights: TakesLooks) -> float | None:
    """What is added to the logit of coarse looks at images that the network sees at `gsd_mm`, mm/px.

    None where none is taken: these weights take none, or they would see the image coarser than they were
    trained for. Cracks are narrow there anyhow.
    """
    if weights.coarse_shift is None or weights.gsd_range_mm is None:
        return None
    factor = side_px(TILE_PX - 2 * halo_px, halo_px) / TILE_PX
    return weights.coarse_shift if gsd_mm * factor <= weights.gsd_range_mm[1] else None


def shrunk(pixels: UInt8) -> UInt8:
    """The pixels of a look, uint8 (s, s, 3), as a tile (448, 448, 3); antialiased."""
    return np.asarray(Image.fromarray(pixels).resize((TILE_PX, TILE_PX), Image.Resampling.BILINEAR))


def enlarged(found: UInt8, side: int, shift: float) -> UInt8:
    """What the network found in a look, uint8 (448, 448), round(254 p), at the size of the image's pixels.

    `shift` is added to the logit. Returns uint8 (side, side), round(254 p). Where the network's answer was no
    number (255), nothing is found: between 255 and 0 would lie what looks like a crack.
    """
    lowered = Image.fromarray(_shifted(shift)[found])
    return np.asarray(lowered.resize((side, side), Image.Resampling.BILINEAR))


def join(close: UInt8, found: UInt8) -> None:
    """Put into a core what a coarse look found there, both uint8 (h, w), round(254 p).

    `close` is changed where it is far from what the close look found, within this core; 255 stays.
    """
    from scipy.ndimage import maximum_filter  # takes 0.2 s to import, and a finished survey needs none

    if found.max() < _FOUND:
        return
    near = maximum_filter(np.where(close == _NOT_INSPECTED, 0, close), size=2 * _NEAR_PX + 1) >= _FOUND
    np.maximum(close, found, out=close, where=~near)


def _shifted(shift: float) -> UInt8:
    """Of each level 0..254 of a probability the one with `shift` added to its logit; 0 for 255."""
    odds = np.arange(1, _CERTAIN) / (_CERTAIN - np.arange(1, _CERTAIN)) * math.exp(shift)
    inner = np.rint(_CERTAIN * odds / (1 + odds))
    return np.concatenate([[0], inner, [_CERTAIN, 0]]).astype(np.uint8)

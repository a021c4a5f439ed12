"""What lossy compression spoils around a part without data: values near those of the part."""

from crackpipe.pipeline.raster.validity.squares import Bools, grown

# Lossy compression spoils blocks of 8 px, and of 16 px where it stores colours at half resolution.
_BLOCK_PX = 8
_BLOCKS = 2
REACH_PX = _BLOCKS * _BLOCK_PX
"""No value is spoilt farther away."""
RIM_PX = 4
"""So far beside what is spoilt nothing is inspected: its edge is one that the network takes for a crack."""


def with_spoilt(part: Bools, near: Bools) -> Bools:
    """A part, bool (h, w), with the near values that hang together with it within REACH_PX."""
    for _ in range(_BLOCKS):
        part = part | (grown(part, _BLOCK_PX) & near)
    return part

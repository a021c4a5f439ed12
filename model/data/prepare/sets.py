"""Which set gets which step, by its name. Only sets whose terms let anyone use what is trained on them."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from crackpipe.model.data.prepare.dnit import trusted
from crackpipe.model.data.prepare.ridges import F32
from crackpipe.model.data.prepare.snap import snap
from crackpipe.model.data.prepare.tight import tight

Labels = NDArray[np.uint8]

_CLEAR_BEYOND_DOUBT = 3.0


def as_it_is(_grey: F32, mask: Labels) -> Labels:
    """No label to mend."""
    return mask.copy()


def only_clear(grey: F32, mask: Labels) -> Labels:
    """`tight` for labels that often lie beside a crack: what is not clear beyond doubt becomes 127."""
    return tight(grey, mask, clear=_CLEAR_BEYOND_DOUBT)


STEPS: dict[str, Callable[[F32, Labels], Labels]] = {
    "dnit": as_it_is,
    "sut_crack": as_it_is,
    "cracksc": snap,
    "cracknj156_samples": snap,
    "paveseg_preview": only_clear,
    "polyhaven_1k": as_it_is,
}
"""Name of a set -> the step from (grey (H, W) float32, mask (H, W) of 0, 127, 255) to the mask to train
on."""

TIGHT_STEPS = STEPS | {"dnit": trusted, "sut_crack": tight}
"""The same where labels that lie on their cracks shrink to dark cores too."""

PLAN_SETS = {"dnit": "dnit_plan"}
"""Sets that are also written in plan view, and the name of that set."""

"""How much a network suspects a crack where it may be far from finding one: by this `--screen` decides.

Suspicion is the log-odds ln(p / (1 - p)) of the most probable class. On sound road a network says p = 0.005
to 0.02, and where it hardly sees a crack 0.01 to 0.05. Levels of p, of 254, do not tell these apart, those
of log-odds do: 0 to 254 stand for -10 to 5.875 in steps of 1/16. 255 is no number, and above every limit.
"""

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

_LEAST, _STEPS = -10.0, 16
_HIGHEST, _NO_NUMBER = 254, 255


def levels_of(probability: "Tensor") -> "Tensor":
    """The levels, uint8, of probabilities 0..1, float32 of any shape, on the same device."""
    levels = ((probability.logit(eps=1e-6) - _LEAST) * _STEPS).round().clamp(0, _HIGHEST)
    return levels.nan_to_num(nan=_NO_NUMBER).byte()


def level_from(log_odds: float) -> int:
    """The least level that reaches a suspicion."""
    return min(max(math.ceil((log_odds - _LEAST) * _STEPS), 0), _HIGHEST)


def log_odds_of(level: int) -> float:
    """The suspicion that a level 0..254 stands for."""
    return _LEAST + level / _STEPS

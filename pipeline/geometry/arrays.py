"""Short names for the array types that many rooms hand on."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
"""For values where half the memory and twice the speed matter more than the last digits."""
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Geometries = NDArray[np.object_]
"""Shapely geometries."""
Texts = NDArray[np.object_]
"""Strings, or None where a string is missing."""

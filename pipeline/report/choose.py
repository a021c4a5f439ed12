"""Which cracks get a picture: the worst of the survey, and some of each of the worst sections."""

from collections.abc import Sequence

import numpy as np

from crackpipe.pipeline.geometry.arrays import Ints
from crackpipe.pipeline.report.tables import Cracks

PICTURES = 500
"""Of the survey's cracks, the worst."""
OF_A_SECTION = 3
"""Of each of the worst sections, the worst of its own."""


def worst_first(cracks: Cracks) -> Ints:
    """The rows that count as cracks by falling length x width, then length, then identifier: (M,) indices."""
    rows = np.flatnonzero(cracks.is_crack)
    order = np.lexsort((cracks.crack_id[rows].astype(str), -cracks.length_m[rows], -cracks.area_mm_m[rows]))
    return rows[order]


def with_pictures(order: Ints, of_sections: Sequence[Ints]) -> Ints:
    """The rows that get a picture, in the order of `worst_first`, each once.

    `of_sections` has the rows of each of the worst sections.
    """
    rank = {int(row): place for place, row in enumerate(order)}
    chosen = {int(row) for row in order[:PICTURES]}
    for rows in of_sections:
        own = sorted((int(row) for row in rows if int(row) in rank), key=rank.__getitem__)
        chosen |= set(own[:OF_A_SECTION])
    return np.array(sorted(chosen, key=rank.__getitem__), np.int64)

"""The width figures of one row of `cracks.parquet`: what the width room hands to the tables."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class RowWidth:
    """Fields are named as the columns they become; None where nothing could be measured. Widths in mm."""

    width_mm: float | None
    """Mean over the length."""
    width_sigma_mm: float | None
    """Standard deviation of that mean."""
    width_p95_mm: float | None
    """Width that 95 % of the length does not exceed."""
    width_max_mm: float | None
    width_class: str | None
    """`tiny`, `small` or `wide`."""
    p_tiny: float | None
    p_small: float | None
    p_wide: float | None
    class_uncertain: bool
    width_flag: bool
    """The cross-check failed over a third of the length or more."""


UNMEASURED = RowWidth(
    width_mm=None,
    width_sigma_mm=None,
    width_p95_mm=None,
    width_max_mm=None,
    width_class=None,
    p_tiny=None,
    p_small=None,
    p_wide=None,
    class_uncertain=True,
    width_flag=False,
)
"""Nothing could be measured along the row."""

"""The width of a measured row, for tests that are not about widths."""

from crackpipe.pipeline.width.row_width import RowWidth

SMALL = RowWidth(
    width_mm=2.0,
    width_sigma_mm=0.2,
    width_p95_mm=2.4,
    width_max_mm=2.5,
    width_class="small",
    p_tiny=0.01,
    p_small=0.98,
    p_wide=0.01,
    class_uncertain=False,
    width_flag=False,
)

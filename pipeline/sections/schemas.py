"""The columns of sections.parquet, section_lengths.parquet and section_cracks.parquet.

A length is null where the ground was not inspected and no crack was found there. It is 0 only where the
ground was inspected.
"""

import pyarrow as pa

from crackpipe.pipeline.sections.locate import CLASSES, TYPES
from crackpipe.pipeline.tables import geoparquet

OUTSIDE, AWAY = "outside", "away"
"""Zones of cracks beside all lanes, and of cracks away from every route."""

_NULLABLE, _REQUIRED = True, False
_FLOAT = pa.float64()

SECTIONS = geoparquet.described(
    [
        ("section_id", pa.string(), _REQUIRED, "route, measures and lane: stable identifier of this row"),
        ("route_id", pa.string(), _REQUIRED, "route"),
        ("lane", pa.int64(), _REQUIRED, "number of the lane, as --offset names them, from 1"),
        ("m_begin", _FLOAT, _REQUIRED, "measure of the route at the section's begin, m"),
        ("m_end", _FLOAT, _REQUIRED, "measure of the route at the section's end, m"),
        ("length_m", _FLOAT, _REQUIRED, "length of the route between them on the ground, m"),
        ("area_m2", _FLOAT, _REQUIRED, "length times width of the lane, m2"),
        ("coverage", _FLOAT, _REQUIRED, "inspected share of the area, 0 to 1"),
        ("inspected_m2", _FLOAT, _REQUIRED, "inspected area, ground seen several times counted once, m2"),
        ("crack_m", _FLOAT, _NULLABLE, "length of all cracks, m; null where nothing was inspected"),
        ("tiny_m", _FLOAT, _NULLABLE, "length of cracks of class tiny, m"),
        ("small_m", _FLOAT, _NULLABLE, "length of cracks of class small, m"),
        ("wide_m", _FLOAT, _NULLABLE, "length of cracks of class wide, m"),
        ("unmeasured_m", _FLOAT, _NULLABLE, "length of cracks without a width, m"),
        *(
            (f"{name}_m", _FLOAT, _NULLABLE, f"length of cracks that are {name} against the route, m")
            for name in TYPES
        ),
        ("transverse_count", pa.int64(), _NULLABLE, "transverse cracks; rows that meet count as one"),
        ("density_m_per_m2", _FLOAT, _NULLABLE, "crack_m per inspected m2"),
        ("crack_area_m2", _FLOAT, _NULLABLE, "sum of length times width of measured cracks, m2"),
        ("area_density", _FLOAT, _NULLABLE, "crack_area_m2 per inspected m2"),
        ("cells", pa.int64(), _REQUIRED, "cells of three equal strips, 1 m long"),
        ("cells_touched", pa.int64(), _NULLABLE, "cells that a crack touches"),
        ("width_mean_mm", _FLOAT, _NULLABLE, "mean width of measured cracks by length, mm"),
        ("width_mean_sigma_mm", _FLOAT, _NULLABLE, "standard deviation of that mean, mm"),
        ("width_p95_mm", _FLOAT, _NULLABLE, "width that 95 % of the measured length does not exceed, mm"),
        *(
            item
            for name in CLASSES[:3]
            for item in (
                (f"{name}_expected_m", _FLOAT, _NULLABLE, f"expected length of class {name} (p_{name}), m"),
                (f"{name}_sigma_m", _FLOAT, _NULLABLE, f"standard deviation of {name}_expected_m, m"),
            )
        ),
        ("geometry", pa.binary(), _REQUIRED, "axis of the lane, LineString, WKB"),
        ("bbox", geoparquet.BBOX, _REQUIRED, "bounds of the geometry"),
    ]
)

LENGTHS = geoparquet.described(
    [
        ("section_id", pa.string(), _REQUIRED, "as in sections.parquet"),
        ("route_id", pa.string(), _REQUIRED, "route"),
        ("lane", pa.int64(), _NULLABLE, "number of the lane; null beside all lanes"),
        ("m_begin", _FLOAT, _REQUIRED, "measure of the route at the section's begin, m"),
        ("m_end", _FLOAT, _REQUIRED, "measure of the route at the section's end, m"),
        ("zone", pa.string(), _REQUIRED, "zone of the lane, left and right of rising measure; or outside"),
        ("crack_type", pa.string(), _NULLABLE, "type against the route; null beside all lanes"),
        ("width_class", pa.string(), _NULLABLE, "tiny, small, wide or unmeasured; null beside all lanes"),
        ("length_m", _FLOAT, _NULLABLE, "length of such cracks, m; null where nothing was inspected"),
        ("zone_width_mean_mm", _FLOAT, _NULLABLE, "mean width of all measured cracks of the zone, mm"),
        ("area_m2", _FLOAT, _NULLABLE, "area of the zone, m2"),
        ("inspected_m2", _FLOAT, _NULLABLE, "inspected area of the zone, m2"),
        ("coverage", _FLOAT, _NULLABLE, "inspected share of the zone, 0 to 1"),
    ]
)

CRACKS = geoparquet.described(
    [
        ("crack_id", pa.string(), _REQUIRED, "as in cracks.parquet"),
        ("route_id", pa.string(), _NULLABLE, "route nearest to the crack's middle; null away from all"),
        ("lane", pa.int64(), _NULLABLE, "lane at the crack's middle; null beside all lanes"),
        ("section_id", pa.string(), _NULLABLE, "section at the crack's middle; null beside all lanes"),
        ("m", _FLOAT, _NULLABLE, "measure of the route at the crack's middle, m"),
        ("offset_m", _FLOAT, _NULLABLE, "of the middle, to the right of rising measure, m"),
        (
            "zone",
            pa.string(),
            _REQUIRED,
            "zone of the lane, or outside of all lanes, or away from all routes",
        ),
        ("type", pa.string(), _NULLABLE, "type against the route"),
        ("length_m", _FLOAT, _REQUIRED, "as in cracks.parquet"),
    ]
)

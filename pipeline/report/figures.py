"""The figures of a report: lengths by width class and type, widths and how sure they are, coverage."""

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from crackpipe.pipeline.familiarity import told
from crackpipe.pipeline.report.tables import CLASSES, OTHER, TYPES, Cracks

WIDTH_EDGES_MM = (0.0, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0)
"""Of the bars that show how much length has which width; the last bar has no upper end."""


def lengths(cracks: Cracks) -> dict[str, Any]:
    """Length in m and number of cracks by width class and type, and the length of everything else found."""
    by_class = [
        [
            _sum(cracks.length_m[(cracks.width_class == k) & (cracks.crack_type == t)])
            for t in range(len(TYPES))
        ]
        for k in range(OTHER)
    ]
    others = sorted(set(cracks.class_name[cracks.width_class == OTHER]))
    return {
        "classes": list(CLASSES[:OTHER]),
        "types": list(TYPES),
        "length_m": by_class,
        "count": [int(np.count_nonzero(cracks.width_class == k)) for k in range(OTHER)],
        "total_m": _sum(cracks.length_m[cracks.is_crack]),
        "total_count": int(np.count_nonzero(cracks.is_crack)),
        "others": [
            {"class": name, "length_m": _sum(cracks.length_m[cracks.class_name == name])} for name in others
        ],
    }


def widths(cracks: Cracks) -> dict[str, Any]:
    """How wide the cracks are, by length, and how far the classes can be trusted."""
    known = cracks.is_crack & ~np.isnan(cracks.width_mm)
    width_mm, length_m = cracks.width_mm[known], cracks.length_m[known]
    bins = np.digitize(width_mm, WIDTH_EDGES_MM[1:])
    return {
        "classes": [_class_figures(cracks, code) for code in range(3)],
        "edges_mm": list(WIDTH_EDGES_MM),
        "length_m": [_sum(length_m[bins == each]) for each in range(len(WIDTH_EDGES_MM))],
        "flagged_m": _sum(cracks.length_m[cracks.is_crack & cracks.width_flag]),
        "measured_m": _sum(length_m),
        "not_measured_m": _sum(cracks.length_m[cracks.is_crack & np.isnan(cracks.width_mm)]),
    }


def _class_figures(cracks: Cracks, code: int) -> dict[str, Any]:
    """Of one width class: its length as sorted, the length to expect by the probabilities, typical widths.

    With l the length of a crack and p the probability that it belongs to the class, the length to expect is
    sum(l p), and its standard deviation sqrt(sum(l^2 p (1 - p))) if cracks err independently of each other.
    """
    own = cracks.width_class == code
    known = cracks.is_crack & ~np.isnan(cracks.p_class[:, code])
    p, all_m = cracks.p_class[known, code], cracks.length_m[known]
    length_m, width_mm, sigma_mm = cracks.length_m[own], cracks.width_mm[own], cracks.width_sigma_mm[own]
    total_m = _sum(length_m)
    return {
        "class": CLASSES[code],
        "length_m": total_m,
        "count": int(np.count_nonzero(own)),
        "uncertain_m": _sum(cracks.length_m[own & cracks.class_uncertain]),
        "expected_m": _sum(all_m * p),
        "expected_sd_m": math.sqrt(_sum(all_m**2 * p * (1 - p))),
        "mean_mm": _sum(length_m * width_mm) / total_m if total_m else None,
        "typical_sigma_mm": float(np.median(sigma_mm)) if len(sigma_mm) else None,
    }


def coverage(images: Sequence[Mapping[str, Any]], ground_m2: float | None) -> dict[str, Any]:
    """How much was inspected, m2, summed over images: ground that two images show counts twice.

    `ground_m2` is what was inspected with each piece of ground counted once, as lengths of cracks are; None
    where the tables of the run do not tell it.
    """
    done = [row for row in images if row["status"] == "done"]
    return {
        "images": len(images),
        "done": len(done),
        "ground_m2": ground_m2,
        "inspected_m2": math.fsum(row["inspected_m2"] or 0.0 for row in done),
        "uninspected_m2": math.fsum(row["uninspected_m2"] or 0.0 for row in done),
        "noted": sum(1 for row in done if row["message"]),
    }


def familiarity(images: Sequence[Mapping[str, Any]], record: Mapping[str, Any]) -> dict[str, Any]:
    """How well the network knows the images of this camera; `median` None where nothing tells it."""
    known = sorted(row["familiarity"] for row in images if row["familiarity"] is not None)
    summary = dict(record.get("familiarity") or {})
    bins = np.histogram(known, bins=5, range=(0.0, 1.0))[0]
    return {
        "median": statistics.median(known) if known else None,
        "images": len(known),
        "strange": sum(each < told.STRANGE_BELOW for each in known),
        "strange_below": told.STRANGE_BELOW,
        "bins": bins.tolist(),
        "unknown": summary.get("unknown", 0),
        "outside_gsd_range": summary.get("outside_gsd_range", 0),
        "gsd_range_mm": summary.get("gsd_range_mm"),
    }


def quarantine(images: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The images that were set aside: which, why, and what to do."""
    names = ("image_id", "reason", "message", "remedy")
    return [{name: row[name] for name in names} for row in images if row["status"] != "done"]


def _sum(values: Any) -> float:
    return math.fsum(np.asarray(values, np.float64))

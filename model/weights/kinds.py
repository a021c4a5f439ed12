"""What the classes of a network are to a crack map.

crack   lines with widths, counted as crack length
line    lines without a width, not counted as crack length: a sealed crack, a joint
area    no lines, only pixels of the mask and their area: lane paint
"""

KINDS = ("crack", "line", "area")

KNOWN = {"crack": "crack", "sealed_crack": "line", "joint": "line", "lane_paint": "area"}
"""Classes whose kind need not be given."""


def parse(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """`crack,joint,kerb:line` -> names (crack, joint, kerb) and kinds (crack, line, line).

    Raises ValueError for an unknown kind, a class of unknown kind, a name twice, or none of kind crack.
    """
    names, kinds = [], []
    for part in text.split(","):
        name, _, kind = part.strip().partition(":")
        kind = kind or KNOWN.get(name, "")
        if not name or kind not in KINDS:
            raise ValueError(
                f"class {part.strip()!r} in {text!r}: write NAME:KIND with KIND one of {', '.join(KINDS)}; "
                f"without KIND are known {', '.join(KNOWN)}"
            )
        names.append(name)
        kinds.append(kind)
    if len(set(names)) < len(names) or "crack" not in kinds:
        raise ValueError(f"classes {text!r}: different names needed, and at least one of kind crack")
    return tuple(names), tuple(kinds)

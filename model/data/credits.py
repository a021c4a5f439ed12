"""What sets ask of weights that were trained on them."""

from collections.abc import Iterable
from pathlib import Path

from crackpipe.model.data.pairs import family_of
from crackpipe.model.weights.read import load

CREDITS = {
    "dnit": "DNIT road images (Passos, Cassaniga, Fernandes, Medeiros, Comunello; MIT, CC BY 4.0)",
    "sut_crack": "SUT-Crack (Sabouri, Sepidbar; CC BY 4.0)",
    "cracksc": "CrackSC (Feng Guo; MIT)",
    "cracknj156_samples": "CrackNJ156 (Xu, Guan, Kang, Lei, Ma, Yu, Chen, J. Li; CC BY 4.0)",
    "paveseg_preview": "PaveSeg preview (FuturePave; Apache-2.0)",
    "polyhaven_1k": "surfaces of Poly Haven (CC0)",
}
"""Sets that anyone may use for anything, and whom to credit. Rendered roads ask for nothing."""

_RENDERED = "rendered"
"""Names of rendered sets begin so."""

ENCODER = "its encoder started from ImageNet weights (Apache-2.0 or BSD)"

_FREE = ("Usable by anyone for any purpose", "MIT", "CC0")
"""How licences begin that let anyone use weights for anything."""

RESTRICTED = (
    "Weights derived from data sets of which several allow non-commercial research only "
    "(DeepCrack, CFD) or state no licence; see docs/use/training.md"
)


def seen_by(init: str | Path | None) -> frozenset[str]:
    """The sets that the weights have seen from which a training starts, by name or file; without any, none.

    Weights whose own licence is not free for all are named themselves too, whatever they were trained on.
    """
    if init is None:
        return frozenset()
    start = load(init)
    seen = {name.strip() for name in start.data.split(",") if name.strip()}
    return frozenset(seen if start.licence.startswith(_FREE) else {*seen, f"weights {start.name}"})


def licence_of(set_names: Iterable[str]) -> str:
    """The licence of weights that have seen these sets, and no other data but an encoder's.

    Free for all with credits if every set is rendered or in `CREDITS`; else the note about restricted sets,
    because what a set of another name allows is not known here.
    """
    families = {family_of(name) for name in set_names if not name.startswith(_RENDERED)}
    if not families <= CREDITS.keys():
        return RESTRICTED
    credit = "; ".join(CREDITS[name] for name in sorted(families))
    if not credit:
        return f"{_FREE[0]}: trained on rendered roads alone; {ENCODER}"
    return f"{_FREE[0]}, with credit to what it was trained on: {credit}; {ENCODER}"

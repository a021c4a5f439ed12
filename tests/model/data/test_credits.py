from pathlib import Path

import pytest
from helpers import WEIGHTS_METADATA

from crackpipe.model.data.credits import CREDITS, RESTRICTED, licence_of, seen_by
from crackpipe.model.networks.context_cracknet import ContextCrackNetLite
from crackpipe.model.weights.read import save

FREE = "Usable by anyone for any purpose"


def test_free_sets_make_free_weights_that_name_whom_to_credit() -> None:
    licence = licence_of([*CREDITS, "dnit_plan", "rendered", "rendered_classes"])
    assert licence.startswith(f"{FREE}, with credit to")
    for name in ("Passos", "Sabouri", "Feng Guo", "Xu", "FuturePave", "Poly Haven", "ImageNet"):
        assert name in licence
    assert "Feng Guo" not in licence_of(["dnit"])
    assert licence_of(["rendered1"]).startswith(f"{FREE}: trained on rendered roads alone")


@pytest.mark.parametrize("other", ["deepcrack", "negatives_nha12d", "my-photographs", "weights lite"])
def test_any_other_set_takes_the_freedom_away(other: str) -> None:
    assert licence_of(["dnit", "rendered", other]) == RESTRICTED


def test_what_a_training_starts_from_counts_too(tmp_path: Path) -> None:
    assert seen_by(None) == frozenset()
    assert licence_of(seen_by("lite-2025")) == RESTRICTED
    assert "weights context-cracknet-lite-2025" in seen_by("lite-2025")
    assert licence_of(seen_by("lite")).startswith(FREE)
    mine = tmp_path / "mine.safetensors"
    net = ContextCrackNetLite(1)
    save(mine, net, WEIGHTS_METADATA | {"data": "cracksc, dnit", "licence": licence_of(["cracksc", "dnit"])})
    assert seen_by(mine) == {"cracksc", "dnit"}
    save(mine, net, WEIGHTS_METADATA | {"data": "cracksc", "licence": "secret"})
    assert seen_by(mine) == {"cracksc", "weights mine"}
    assert licence_of(seen_by(mine)) == RESTRICTED

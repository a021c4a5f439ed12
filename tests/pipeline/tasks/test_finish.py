"""What the blocks of an image that was interrupted tell together, when the rest ran with something else."""

from types import SimpleNamespace
from typing import Any

import pytest

from crackpipe.pipeline.tasks import finish


def job(**known: Any) -> Any:
    return SimpleNamespace(**{"screen": None, "statistics": None, "sureness": None, **known})


def test_a_block_of_before_the_screen_was_not_screened() -> None:
    """`--screen` was added between the two runs, and the image takes no coarse look: both blocks are kept."""
    blocks = [{"inspected_px": 100}, {"inspected_px": 100, "screened_px": 40}]
    assert finish._screened(job(screen=-4.75), blocks, 0.5) == {"screened_m2": 20.0}
    assert finish._screened(job(), blocks, 0.5) == {}


@pytest.mark.parametrize("before", [{"statistics": "old", "told": [[0, 0, 0, 0.9]]}, {}])
def test_blocks_of_other_statistics_leave_the_familiarity_unknown(before: dict[str, Any]) -> None:
    today = {"statistics": "new", "told": [[0, 0, 1, 0.4]]}
    assert finish._familiarity(job(statistics="new"), [today]) == {"familiarity": 0.4, "statistics": "new"}
    assert finish._familiarity(job(statistics="new"), [before, today]) == {}

"""Which frames teach and which judge in benchmarks/accuracy/adapt.py."""

from itertools import pairwise
from pathlib import Path
from types import ModuleType

import click
import numpy as np
import pytest
from helpers import WEIGHTS_METADATA
from paths import benchmark

from crackpipe.model.data.pairs import Pair, is_validation, photograph_of
from crackpipe.model.networks.one_convolution import OneConvolution
from crackpipe.model.weights.read import load, save


@pytest.fixture(scope="module")
def adapt() -> ModuleType:
    return benchmark("adapt")


def frames(*sections: tuple[str, int]) -> list[tuple[str, Path, Path]]:
    return [
        ("dnit", Path(f"{name}_{number:06d}.png"), Path(f"{name}_{number:06d}.png"))
        for name, count in sections
        for number in range(count)
    ]


def test_frames_of_one_section_teach_and_no_frame_does_both(adapt: ModuleType) -> None:
    names = [f"DF_{number}" for number in range(40)]
    kept = [name for name in names if is_validation("dnit", f"{name}_000001")]
    seen = [name for name in names if name not in kept]
    assert len(kept) > 2
    assert len(seen) > 2
    listed = frames((seen[0], 90), (kept[0], 30), (kept[1], 50), (kept[2], 20), (seen[1], 90))
    parts = adapt.split(listed, None, 20, 25)
    stems = {
        part: [image.stem for _, image, _ in getattr(parts, part)] for part in ("taught", "rest", "others")
    }
    assert {part: len(some) for part, some in stems.items()} == {"taught": 20, "rest": 25, "others": 25}
    sections = {part: {photograph_of("dnit", stem) for stem in some} for part, some in stems.items()}
    assert sections == {"taught": {kept[1]}, "rest": {kept[1]}, "others": {kept[0], kept[2]}}
    assert not set(stems["taught"]) & set(stems["rest"])
    numbers = [int(stem[-6:]) for stem in stems["taught"]]
    assert {later - one for one, later in pairwise(numbers)} == {2, 3}


def test_a_small_section_is_refused(adapt: ModuleType) -> None:
    with pytest.raises(ValueError, match="section A has 30 frames, 40 needed; sections: A 30"):
        adapt.split(frames(("A", 30)), "A", 20, 10)


def test_frames_are_judged_part_by_part(adapt: ModuleType, tmp_path: Path) -> None:
    save(tmp_path / "dark.safetensors", OneConvolution(), WEIGHTS_METADATA)
    image, label = np.full((60, 90, 3), 200, np.uint8), np.zeros((60, 90), np.uint8)
    image[30:33], label[30:33] = 10, 1
    frame = Pair("dnit", "DF_1_000001", image, label, np.empty((0, 2), np.int32))
    found = adapt.judged(load(tmp_path / "dark.safetensors"), ([frame], [frame, frame]), "cpu", 4.0)
    assert [side.score.pictures for side in found] == [1, 2]
    assert adapt.row("before", found) == "| before | 0.50" + 2 * " | 1.000 | 1.000 | 1.000" + " |"


def test_links_of_an_earlier_call_are_gone(adapt: ModuleType, tmp_path: Path) -> None:
    """With other frames, one that taught before may judge now."""
    for folder in ("taught", "rest"):
        adapt.linked(frames(("A", 2)), tmp_path / folder)
    own = tmp_path / "taught/own_dnit/images/own.png"
    own.touch()  # what is no link is nobody's business
    adapt.linked(frames(("B", 1)), tmp_path / "taught")
    found = sorted(path.name for path in own.parent.iterdir())
    assert found == ["B_000000.png", "own.png"]


def test_work_of_other_options_is_refused(adapt: ModuleType, tmp_path: Path) -> None:
    options = {"frames": 20, "section": None, "data": tmp_path}
    for _ in range(2):
        adapt.keep_options(tmp_path / "work", options)
    with pytest.raises(click.UsageError, match=r"work was made with other options \(frames 20\): give those"):
        adapt.keep_options(tmp_path / "work", options | {"frames": 25})
    (tmp_path / "work/trained.safetensors").touch()
    (tmp_path / "work/options.json").unlink()
    with pytest.raises(click.UsageError, match=r"\(frames not noted, .*another WORK"):
        adapt.keep_options(tmp_path / "work", options)

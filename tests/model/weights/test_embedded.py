"""The weights that come with crackpipe: their names, sums, sizes and licences."""

from pathlib import Path

import pytest

from crackpipe.model.weights import folder as weights_folder
from crackpipe.model.weights.folder import available, name_of, notice_of, update_sums
from crackpipe.model.weights.metadata import WeightsError
from crackpipe.model.weights.read import load


@pytest.fixture
def folder(path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path.rename(path.with_name("context-cracknet-lite.safetensors"))
    monkeypatch.setattr(weights_folder, "FOLDER", path.parent)
    update_sums(path.parent)
    return path.parent


def test_lite_is_a_short_name(folder: Path) -> None:
    assert available() == ["context-cracknet-lite"]
    assert load("lite").sha256 == load("context-cracknet-lite").sha256
    assert load().sha256 in (folder / "SHA256SUMS").read_text()


def test_one_changed_bit_is_found(folder: Path) -> None:
    path = folder / "context-cracknet-lite.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"SHA-256.*install crackpipe again"):
        load("lite")


def test_without_a_sum_nothing_is_trusted(folder: Path) -> None:
    (folder / "SHA256SUMS").unlink()
    with pytest.raises(WeightsError, match="says nothing"):
        load("lite")


@pytest.mark.parametrize("name", available())
def test_embedded_files_are_sound(name: str) -> None:
    weights = load(name)
    assert weights.name == name
    assert weights.path.stat().st_size <= 12e6
    weights.build()


def test_names_of_before_are_understood_and_said() -> None:
    assert load("lite-open").sha256 == load("lite").sha256
    assert (
        notice_of("lite-open")
        == "weights lite-open are now called lite; the old name goes with the next release"
    )
    assert notice_of("lite") is None


def test_the_default_of_before_keeps_its_bytes_under_a_name_of_its_own() -> None:
    assert load("lite-2025").sha256.startswith("d667e12a0f0b")
    names = ["lite-2025", "lite-cracksc", "lite-drawn", "lite-research", "lite"]
    assert [name_of(load(name).network_sha256) for name in names] == names
    assert name_of("0" * 64) is None


@pytest.mark.parametrize("name", ["lite-2025", "lite-research"])
def test_weights_for_research_alone_say_so(name: str) -> None:
    described = load(name)
    assert "non-commercial research only" in described.licence
    assert {"deepcrack", "cfd", "sut_crack"} <= set(described.data.split(", "))


def test_weights_that_anyone_may_use_are_embedded_and_say_so() -> None:
    described = load("lite")
    assert described.licence.startswith("Usable by anyone for any purpose, with credit")
    seen = {name for name in described.data.split(", ") if not name.startswith("rendered")}
    assert seen == {
        "cracknj156_samples",
        "cracksc",
        "dnit",
        "dnit_plan",
        "paveseg_preview",
        "polyhaven_1k",
        "sut_crack",
    }
    assert described.gsd_range_mm == (0.5, 6.0)


@pytest.mark.parametrize(
    ("name", "photographs"),
    [
        ("lite-drawn", {"cracknj156_samples", "polyhaven_1k"}),
        ("lite-cracksc", {"cracknj156_samples", "cracksc", "polyhaven_1k"}),
    ],
)
def test_weights_that_saw_few_photographs_may_be_used_by_anyone(name: str, photographs: set[str]) -> None:
    described = load(name)
    assert described.licence.startswith("Usable by anyone for any purpose, with credit")
    seen = {name for name in described.data.split(", ") if not name.startswith("rendered")}
    assert seen == photographs
    assert described.gsd_range_mm == (0.5, 6.0)

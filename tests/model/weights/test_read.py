"""Weights files: round trip, checks, and what is refused."""

import io
import json
import pickle
import random
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from crackpipe.model.networks.context_cracknet import ContextCrackNetLite, ContextCrackNetLite1
from crackpipe.model.weights import files
from crackpipe.model.weights import folder as weights_folder
from crackpipe.model.weights import read as weights_module
from crackpipe.model.weights.folder import available, name_of, notice_of, update_sums
from crackpipe.model.weights.metadata import WeightsError
from crackpipe.model.weights.read import Weights, load, save

METADATA: dict[str, Any] = {
    "classes": ["crack"],
    "training_gsd_mm": 1.0,
    "threshold": 0.45,
    "contrast_c0": 58.5,
    "data": "drawn at random",
    "licence": "CC0-1.0",
    "metrics": {"iou": 0.5, "per_set": {"Ä": [0.1, None]}},
    "epochs": 3,
}


@pytest.fixture(scope="module")
def net() -> ContextCrackNetLite:
    torch.manual_seed(1)
    return ContextCrackNetLite().eval()


@pytest.fixture
def path(tmp_path: Path, net: ContextCrackNetLite) -> Path:
    save(tmp_path / "drawn.safetensors", net, METADATA)
    return tmp_path / "drawn.safetensors"


def test_module_wins_over_the_folder_of_the_same_name() -> None:
    assert weights_module.__file__ is not None
    assert weights_folder.FOLDER.is_dir()
    assert not (weights_folder.FOLDER / "__init__.py").exists()


def test_round_trip(path: Path, net: ContextCrackNetLite) -> None:
    weights = load(path)
    assert weights.name == "drawn"
    assert weights.architecture == "context-cracknet-lite"
    assert weights.classes == ("crack",)
    assert weights.channels == 1
    assert (weights.rfem, weights.cagm) == (True, True)
    assert (weights.threshold, weights.contrast_c0) == (0.45, 58.5)
    assert weights.mean == (127.0, 127.0, 127.0)
    assert weights.metrics == METADATA["metrics"]
    assert weights.extra == {"epochs": 3}
    built = weights.build()
    assert not built.training
    for name, tensor in net.state_dict().items():
        exact = tensor.ndim < 2
        tolerance = 0.0 if exact else 1e-3  # fp16 has 11 bits
        assert torch.allclose(built.state_dict()[name], tensor, rtol=tolerance, atol=1e-7), name


def test_a_built_network_can_be_changed_without_changing_the_weights(path: Path) -> None:
    weights = load(path)
    with torch.no_grad():
        for parameter in weights.build().parameters():
            parameter.zero_()
    assert weights.build().state_dict()["head.1.weight"].abs().sum() > 0


@pytest.mark.parametrize("options", [{"rfem": False}, {"cagm": False}, {"classes": 4}])
def test_structure_is_read_back(tmp_path: Path, options: dict[str, Any]) -> None:
    names = ["alligator", "linear", "pothole"] if "classes" in options else ["crack"]
    save(tmp_path / "w.safetensors", ContextCrackNetLite(**options), METADATA | {"classes": names})
    weights = load(tmp_path / "w.safetensors")
    assert (weights.rfem, weights.cagm) == (options.get("rfem", True), options.get("cagm", True))
    assert weights.channels == options.get("classes", 1)
    weights.build()


def test_equal_weights_give_equal_bytes(path: Path, net: ContextCrackNetLite) -> None:
    again = path.with_name("again.safetensors")
    save(again, net, dict(reversed(METADATA.items())))
    assert again.read_bytes() == path.read_bytes()


def test_a_lite_file_is_small(path: Path) -> None:
    assert path.stat().st_size < 12e6
    assert not list(path.parent.glob("*.partial"))


@pytest.mark.parametrize("key", [k for k in METADATA if k != "epochs"])
def test_missing_metadata_is_named(tmp_path: Path, net: ContextCrackNetLite, key: str) -> None:
    with pytest.raises(WeightsError, match=key):
        save(tmp_path / "w.safetensors", net, {k: v for k, v in METADATA.items() if k != key})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("threshold", 0.0),
        ("threshold", 1.0),
        ("threshold", "0.5"),
        ("threshold", True),
        ("threshold", float("nan")),
        ("training_gsd_mm", -1.0),
        ("training_gsd_mm", 10**400),
        ("gsd_range_mm", [0.5]),
        ("gsd_range_mm", [6.0, 0.5]),
        ("gsd_range_mm", [0.0, 6.0]),
        ("contrast_c0", 256.0),
        ("classes", "crack"),
        ("classes", []),
        ("classes", ["a", "a"]),
        ("classes", ["a", "b"]),  # two classes want three channels
        ("mean", [1.0, 2.0]),
        ("std", [1.0, 0.0, 1.0]),
        ("licence", ""),
        ("metrics", 1.0),
        ("metrics", {"iou": float("nan")}),
        ("metrics", {"iou": object()}),
    ],
)
def test_impossible_metadata_is_refused(
    tmp_path: Path, net: ContextCrackNetLite, key: str, value: Any
) -> None:
    with pytest.raises(WeightsError, match=r"w\.safetensors"):
        save(tmp_path / "w.safetensors", net, METADATA | {key: value})


def test_values_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    broken = ContextCrackNetLite()
    with torch.no_grad():
        broken.get_parameter("head.1.weight").fill_(1e6)  # beyond fp16
    with pytest.raises(WeightsError, match=r"head\.1\.weight.*NaN or infinity"):
        save(tmp_path / "w.safetensors", broken, METADATA)


def test_other_networks_and_suffixes_are_refused(tmp_path: Path, net: ContextCrackNetLite) -> None:
    with pytest.raises(WeightsError, match="Linear"):
        save(tmp_path / "w.safetensors", nn.Linear(1, 1), METADATA)
    with pytest.raises(WeightsError, match=r"\.pth"):
        save(tmp_path / "w.pth", net, METADATA)


def test_unknown_name_lists_what_there_is() -> None:
    with pytest.raises(WeightsError, match="no weights 'nonsense'"):
        load("nonsense")


@pytest.mark.parametrize("name", ["w.safetensors", "w.pth", "w.onnx"])
@pytest.mark.parametrize("content", [b"", b"\0" * 64, b"\xff" * 64, b"PK\x03\x04" + b"x" * 100, b"\x80\x02."])
def test_rubbish_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(WeightsError, match=name):
        load(tmp_path / name)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError):
        load(tmp_path)


def test_safetensors_of_others_are_refused(tmp_path: Path) -> None:
    import safetensors.torch

    safetensors.torch.save_file({"a": torch.zeros(1)}, tmp_path / "w.safetensors")
    with pytest.raises(WeightsError, match="not a crackpipe weights file"):
        load(tmp_path / "w.safetensors")


def test_damage_never_passes_for_another_error(path: Path) -> None:
    """Mutants of the header (where a parser can be hurt) load or raise WeightsError, nothing else."""
    content = bytearray(path.read_bytes())
    header_bytes = int.from_bytes(content[:8], "little")
    dice = random.Random(5)
    refused = 0
    for _ in range(30):
        mutant = content.copy()
        mutant[dice.randrange(8 + header_bytes)] = dice.randrange(256)
        try:
            files.from_safetensors(path, bytes(mutant))
        except WeightsError:
            refused += 1
    assert refused > 10


class TestEmbedded:
    @pytest.fixture
    def folder(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        path.rename(path.with_name("context-cracknet-lite.safetensors"))
        monkeypatch.setattr(weights_folder, "FOLDER", path.parent)
        update_sums(path.parent)
        return path.parent

    def test_lite_is_a_short_name(self, folder: Path) -> None:
        assert available() == ["context-cracknet-lite"]
        assert load("lite").sha256 == load("context-cracknet-lite").sha256
        assert load().sha256 in (folder / "SHA256SUMS").read_text()

    def test_one_changed_bit_is_found(self, folder: Path) -> None:
        path = folder / "context-cracknet-lite.safetensors"
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)
        with pytest.raises(WeightsError, match=r"SHA-256.*install crackpipe again"):
            load("lite")

    def test_without_a_sum_nothing_is_trusted(self, folder: Path) -> None:
        (folder / "SHA256SUMS").unlink()
        with pytest.raises(WeightsError, match="says nothing"):
            load("lite")


@pytest.mark.parametrize("name", available())
def test_embedded_files_are_sound(name: str) -> None:
    weights = load(name)
    assert weights.name == name
    assert weights.path.stat().st_size <= 12e6
    weights.build()


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
class TestCheckpoints:
    def test_a_bare_state_dict(self, tmp_path: Path, net: ContextCrackNetLite) -> None:
        torch.save(net.state_dict(), tmp_path / "w.pth")
        self.same(load(tmp_path / "w.pth"), net)

    def test_the_deeper_encoder_is_told_by_its_tensors(self, tmp_path: Path) -> None:
        torch.save(ContextCrackNetLite1().state_dict(), tmp_path / "w.pth")
        assert load(tmp_path / "w.pth").architecture == "context-cracknet-lite1"

    def test_a_state_dict_inside(self, tmp_path: Path, net: ContextCrackNetLite) -> None:
        torch.save({"epoch": 3, "state_dict": net.state_dict()}, tmp_path / "w.pt")
        self.same(load(tmp_path / "w.pt"), net)

    def same(self, weights: Weights, net: ContextCrackNetLite) -> None:
        assert weights.architecture == "context-cracknet-lite"
        assert weights.licence.startswith("unknown")
        for name, tensor in weights.build().state_dict().items():
            assert torch.equal(tensor, net.state_dict()[name])

    @pytest.mark.parametrize("content", [{"a": torch.zeros(1)}, [1], {"state_dict": {"a": 1}}, {"a": 1}])
    def test_something_else_inside(self, tmp_path: Path, content: Any) -> None:
        torch.save(content, tmp_path / "w.pth")
        with pytest.raises(WeightsError, match=r"w\.pth"):
            load(tmp_path / "w.pth")

    def test_code_is_never_executed(self, tmp_path: Path) -> None:
        class Bomb:
            def __reduce__(self) -> Any:
                return (Path.touch, (tmp_path / "executed",))

        torch.save({"state_dict": Bomb()}, tmp_path / "w.pth")
        (tmp_path / "plain.pth").write_bytes(pickle.dumps(Bomb()))
        for name in ("w.pth", "plain.pth"):
            with pytest.raises(WeightsError, match="never loaded"):
                load(tmp_path / name)
        assert not (tmp_path / "executed").exists()

    def test_a_tensor_that_claims_a_terabyte(self, tmp_path: Path, net: ContextCrackNetLite) -> None:
        tensors = dict(net.state_dict())
        tensors["head.1.bias"] = torch.zeros(1).expand(2**38)
        torch.save(tensors, tmp_path / "w.pth")
        with pytest.raises(WeightsError, match=r"head\.1\.bias"):
            load(tmp_path / "w.pth")

    def test_damage_never_passes_for_another_error(self, tmp_path: Path) -> None:
        buffer = io.BytesIO()
        torch.save({"head.weight": torch.zeros(1, 64, 1, 1)}, buffer)
        dice = random.Random(6)
        path = tmp_path / "w.pth"
        for _ in range(60):
            mutant = bytearray(buffer.getvalue())
            for _ in range(dice.randrange(1, 6)):
                mutant[dice.randrange(len(mutant))] = dice.randrange(256)
            with pytest.raises(WeightsError):
                path.write_bytes(mutant)
                load(path)

    def test_damage_inside_the_pickle(self, tmp_path: Path) -> None:
        buffer = io.BytesIO()
        torch.save({"head.weight": torch.zeros(1, 64, 1, 1)}, buffer)
        with zipfile.ZipFile(buffer) as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}
        pickled = next(name for name in parts if name.endswith("data.pkl"))
        dice = random.Random(7)
        path = tmp_path / "w.pth"
        for _ in range(60):
            mutant = bytearray(parts[pickled])
            mutant[dice.randrange(len(mutant))] = dice.randrange(256)
            with zipfile.ZipFile(path, "w") as archive:
                for name, content in (parts | {pickled: bytes(mutant)}).items():
                    archive.writestr(name, content)
            with pytest.raises(WeightsError):
                load(path)


def test_names_of_before_are_understood_and_said() -> None:
    assert load("lite-open").sha256 == load("lite").sha256
    assert (
        notice_of("lite-open")
        == "weights lite-open are now called lite; the old name goes with the next release"
    )
    assert notice_of("lite") is None


def test_the_default_of_before_keeps_its_bytes_under_a_name_of_its_own() -> None:
    assert load("lite-2025").sha256.startswith("d667e12a0f0b")
    assert [name_of(load(name).network_sha256) for name in ("lite-2025", "lite")] == ["lite-2025", "lite"]
    assert name_of("0" * 64) is None


def test_metadata_is_readable_without_us(path: Path) -> None:
    import safetensors

    with safetensors.safe_open(path, "pt") as opened:
        assert json.loads(opened.metadata()["crackpipe"])["threshold"] == 0.45


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

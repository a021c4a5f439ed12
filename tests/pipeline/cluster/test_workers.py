"""What a worker that others started must have, and what all must agree on."""

from dataclasses import replace
from pathlib import Path

import pytest

from crackpipe import __version__
from crackpipe.model.predict.device import DeviceError
from crackpipe.model.weights import folder
from crackpipe.pipeline.cluster.workers import Wanted, agreed, unfit
from crackpipe.pipeline.errors import ConfigurationError, UsageError

GPU, CPU = ("cuda", "bf16"), ("cpu", "fp32")


@pytest.fixture
def wanted(tmp_path: Path) -> Wanted:
    """What this process has."""
    _, sha256, _ = folder.read("lite")
    return Wanted(shared=(tmp_path,), weights="lite", weights_sha256=sha256, device="cpu", precision="fp32")


def test_a_worker_with_all_of_it_is_fit(wanted: Wanted) -> None:
    assert unfit(wanted) is None


@pytest.mark.parametrize(
    ("other", "kind", "words"),
    [
        ({"shared": (Path("/not-mounted"),)}, UsageError, "^does not see /not-mounted.*mounts at the same"),
        ({"version": "9.9"}, ConfigurationError, f"^has crackpipe {__version__}, .* planned with 9.9"),
        (
            {"weights": "/mine/w.safetensors"},
            ConfigurationError,
            "^cannot read weights /mine/w.safetensors: .* same path",
        ),
        ({"weights_sha256": "00"}, ConfigurationError, "^found weights lite with SHA-256 .* planned with 00"),
        (
            {"device": "cuda:7"},
            UsageError,
            "^cannot run the network as asked for: cuda:7 .*start this worker",
        ),
    ],
)
def test_what_a_worker_lacks_is_said(
    wanted: Wanted, other: dict[str, object], kind: type[Exception], words: str
) -> None:
    error = unfit(replace(wanted, **other))  # type: ignore[arg-type]
    assert type(error) is kind
    assert error is not None
    with pytest.raises(kind, match=words):
        raise error


def test_workers_that_resolve_alike_decide() -> None:
    assert agreed({"tcp://a:1": GPU, "tcp://b:1": GPU}) == GPU


def test_workers_that_differ_are_named() -> None:
    with pytest.raises(UsageError, match=r"tcp://a:1 would .* cuda in bf16, but worker tcp://c:1 on cpu in"):
        agreed({"tcp://c:1": CPU, "tcp://b:1": GPU, "tcp://a:1": GPU})


def test_a_worker_without_what_was_asked_for_is_named() -> None:
    no_gpu = DeviceError("cuda asked for, torch 2 sees 0 CUDA devices; use cpu or auto")
    with pytest.raises(UsageError, match=r"worker tcp://b:1 .* sees 0 CUDA devices.*start this worker where"):
        agreed({"tcp://a:1": GPU, "tcp://b:1": no_gpu})

"""The import of torchvision and timm beside any torch build; each in a fresh interpreter."""

import subprocess
import sys

import pytest
import torch

from crackpipe.model.networks import torchvision_ops


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_torchvision_and_timm_import_after_it() -> None:
    code = (
        "import crackpipe.model.networks.torchvision_ops, timm, torchvision; print(torchvision.__version__)"
    )
    assert run(code).strip()


@pytest.mark.slow
def test_importing_torchvision_first_is_no_obstacle() -> None:
    code = (
        "import contextlib\n"
        "with contextlib.suppress(RuntimeError):\n"
        "    import torchvision\n"
        "import crackpipe.model.networks.torchvision_ops, timm, torchvision; print(torchvision.__version__)"
    )
    assert run(code).strip()


@pytest.mark.parametrize("schema", torchvision_ops.SCHEMAS)
def test_both_operators_are_known_with_their_schema(schema: str) -> None:
    operator = getattr(torch.ops.torchvision, schema.partition("(")[0])
    arguments = [a.name for a in operator.default._schema.arguments]
    assert arguments == ["dets", "scores", "iou_threshold"]


def test_nothing_is_defined_twice() -> None:
    assert torchvision_ops.define_missing() == ()

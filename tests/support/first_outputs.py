"""Outputs that commit 5f0e436 finished, each beside its survey; support/finished says how they were made."""

import tarfile
from pathlib import Path
from typing import Any

from crackpipe.pipeline.config import Config
from crackpipe.pipeline.request import Request

ARCHIVE = Path(__file__).parent / "finished" / "by_5f0e436.tar.xz"

TUNED = {"halo_px": 16, "simplify_px": 0.3, "contrast": 60.0, "tone": "srgb", "verify_inputs": True}
"""The configuration of the output `tuned`, where it differs from the defaults."""


def unpack(folder: Path) -> None:
    """Put `survey`, `weights.safetensors` and the outputs `default` and `tuned` into `folder`."""
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")


def request(folder: Path, out: str, **config: Any) -> Request:
    """The run that commit 5f0e436 did in `folder`; `config` where it shall differ from the defaults."""
    weights = str(folder / "weights.safetensors")
    config = {"weights": weights, "device": "cpu", "precision": "fp32", **config}
    return Request((folder / "survey",), folder / out, Config(**config), serial=True)

"""Symbolic links, and where they end."""

import os
from functools import lru_cache
from pathlib import Path


def leaves(path: Path, root: Path) -> bool:
    """Whether following the links in `path` ends outside the folder `root`."""
    # `Path.resolve` would raise RuntimeError where links form a circle; `realpath` does not
    folder = _real_path(path.parent)
    real = os.path.realpath(path) if path.is_symlink() else f"{folder}/{path.name}"
    base = _real_path(root)
    return real != base and not real.startswith(base.rstrip("/") + "/")


@lru_cache(maxsize=1024)
def _real_path(folder: Path) -> str:
    return os.path.realpath(folder)

"""Weights: safetensors with metadata. `load` is given out here.

read          a name or a file -> weights, checked; weights -> a file
files         safetensors: tensors and raw metadata
folder        the embedded files
header        the header of a file, without torch; what identifies a network
statistics    features of known pictures, and how familiar others are by them
screen        limits of --screen
sureness      how sure a network is of what it responds to
metadata      what the metadata must say
authors_keys  the names of tensors in the authors' checkpoints
kinds         kinds of classes: crack, line, area
embedded/     the files themselves
"""

from typing import Any


def __getattr__(name: str) -> Any:
    # Others rely on `crackpipe.model.weights.load`. It waits until it is asked for, since it imports torch.
    if name == "load":
        from crackpipe.model.weights.read import load

        return load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

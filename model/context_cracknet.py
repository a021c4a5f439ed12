"""The published name of the networks, which others rely on; they are in `networks/`."""

from crackpipe.model.networks.context_cracknet import ContextCrackNet, ContextCrackNetLite

__all__ = ["ContextCrackNet", "ContextCrackNetLite"]

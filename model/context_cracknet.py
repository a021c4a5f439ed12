"""The name under which others import the networks. Their code is in `networks/`."""

from crackpipe.model.networks.context_cracknet import ContextCrackNet, ContextCrackNetLite

__all__ = ["ContextCrackNet", "ContextCrackNetLite"]

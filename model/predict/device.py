"""Devices and precisions as words, and their error, apart from `predict`: known without torch."""

PRECISION_WORDS = ("auto", "fp32", "bf16", "openvino-fp32", "openvino-bf16")
"""What may be asked for; `predict.resolve_precision` says what becomes of it."""


class DeviceError(Exception):
    """A device or precision that this machine does not have, or too little memory on it."""

"""The words for precisions, and the error about devices and precisions. No torch is needed here."""

PRECISION_WORDS = ("auto", "fp32", "bf16", "openvino-fp32", "openvino-bf16")
"""What may be asked for; `predictor.resolve_precision` turns `auto` into one of the others."""


class DeviceError(Exception):
    """A device or precision that this machine does not have, or too little memory on it."""

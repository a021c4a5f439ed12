"""The error of a device, apart from `predict`, so that it can be caught without torch."""


class DeviceError(Exception):
    """A device or precision that this machine does not have, or too little memory on it."""

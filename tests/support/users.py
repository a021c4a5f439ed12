"""Processes that may only do what file permissions allow, also where the tests run as root."""

import os
import shutil

import pytest


def as_mere_mortal(command: list[str]) -> list[str]:
    """The command without root's right to read everything; skips the test where that cannot be taken away."""
    if os.geteuid() != 0:
        return command
    if shutil.which("setpriv") is None:
        pytest.skip("setpriv (util-linux) is not there to take root's rights away")
    return ["setpriv", "--bounding-set=-dac_override,-dac_read_search", *command]

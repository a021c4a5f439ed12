"""A command of crackpipe that ends with the night that began it: `python -m ...below PID ARGUMENTS`.

A night that is told to end tells its command. One that is killed (SIGKILL, for want of memory) cannot, and
its command would work on beyond the night's end, holding the survey. So the kernel is asked to tell it.
"""

import ctypes
import os
import runpy
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Run `crackpipe ARGUMENTS` until it ends or the process PID, which began this one, is gone."""
    night = int(sys.argv.pop(1))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != night:  # it was gone before the kernel was asked
        sys.exit(128 + signal.SIGTERM)
    runpy.run_module("crackpipe", run_name="__main__", alter_sys=True)


if __name__ == "__main__":  # workers import this file too
    main()

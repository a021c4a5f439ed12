"""One file a command of `crackpipe`, with its name. It reads the options and calls a room.

`cli.py` turns errors into sentences and exit codes.
"""

"""The commands of `crackpipe`, by what they are about: they parse and call, `cli.py` answers for errors."""

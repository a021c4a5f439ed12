"""`python -m crackpipe` is the `crackpipe` command."""

from crackpipe.cli import main

main()

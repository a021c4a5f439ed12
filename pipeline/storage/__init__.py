"""Files that are on disk when we say so.

durable  write, flush, rename
sealed   JSON with a digest of itself
faults   errors of the operating system -> exit code and remedy"""

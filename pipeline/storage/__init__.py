"""Files that are on the disk when a function returns.

durable  write, flush, rename
sealed   JSON with a digest of itself
links    where symbolic links end
faults   errors of the operating system -> exit code and remedy"""

"""Between runs.

status  how far a run has come
verify  is every file still what was written
upkeep  retry-quarantined and clean
doctor  what this machine has and lacks"""

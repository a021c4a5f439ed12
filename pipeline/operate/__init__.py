"""Between runs.

status    how far a run has come
verify    is every file still what was written
findings  what verify found, and how it says it
upkeep    retry-quarantined and clean
doctor    what this machine has and lacks"""

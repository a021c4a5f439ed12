"""What a night knows, as plain values.

network     network.toml: sources, their settings, who is told
listing     which surveys a source holds, and the files of each
in_store    the same of a source in object storage
answering   whether a share answers; who asks it
ready       whether a survey came to rest: two listings, or a file that says so
budget      until when the night works, also across a change of clocks
memory      what a night knows of the nights before it
outcome     what became of each survey, and one exit code for all
"""

"""`crackpipe nightly`: the crack map of a network, every night.

network     network.toml: sources, their settings, who is told
listing     which surveys a source holds, and the files of each
ready       whether a survey came to rest: two listings, or a file that says so
budget      until when the night works, also across a change of clocks
turns       whose turn it is: shares of the night among the sources
child       a command of crackpipe as a process, ended in time
memory      what a night knows of the nights before it
night       the story of a night
"""

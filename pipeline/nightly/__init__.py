"""`crackpipe nightly`: the crack map of a network, every night.

facts/       what a night knows: sources, surveys, memory, outcomes
telling/     summary, alarms, metrics, hooks
turns        whose turn it is: shares of the night among the sources
below        a command that ends with its night, also where that was killed
child        a command of crackpipe as a process, ended in time
one_survey   run, sections, report and exports of one survey
shift        the steps of a night
night        the story of a night
"""

"""Cracks per road section: `crackpipe sections`.

options      what is asked for: section length, lanes, zones of a lane
images       what a finished run inspected
routes/      routes from a centreline or the vehicle's track; where points lie against them
cells        sections, metres along them and strips across them; lines are cut at their borders
locate       each crack against the routes: measure, offset, type
count        lengths of cracks per cell
coverage     which part of each cell was inspected
transverse   transverse cracks as a number
figures      what is known of each section
rows         figures as tables
rules/       what standards make of them
write        the door: reads a finished run, writes the files
"""

"""The tables of a network: the results of all its surveys, one query away.

parts       the rows of one survey, in the network's CRS
latest      of each road section the latest state
publish     partitions by year and source, and the manifest that is swapped last
"""

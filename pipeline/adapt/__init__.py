"""A run that sees little becomes weights that know its camera, by way of few tiles that a person corrects.

pick         the story of --pick: tiles worth labelling, as files for a GIS
candidates   all tiles of a run, and how unsure the network was in them
choose       which of them: unsure, strange, spread
files        pictures with world files, the GeoPackage, the steps in words
learn        the story of --train: weights
review       what a person corrected -> labelled pictures
unlabelled   the story of --unlabelled: statistics of the images alone
run_weights  the weights that a run used
"""

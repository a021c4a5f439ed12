"""Roads as survey cameras of all kinds show them, for training.

pairs     pictures and masks into a folder
view      the camera's homography, and the raster of the ground
surface   the bare road
ways      the ways that cracks take
openings  how cracks look, and their mask
fillings  sand, dust and moss in them
things    layers; lines, joints, sealed cracks
objects   patches, stains, covers, edges, litter, shadows
camera    haze, blur, noise, colour
fields    random fields and polygons
"""

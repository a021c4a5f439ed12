"""Pixels, ground, coordinates.

grid      tiles, cores, blocks and units of an image
ground    footprints, GSD, true lengths
crs       coordinate reference systems
survey_crs  the CRS of the tables, and which images move there roughly
vectors   lines and polygons that a GIS wrote
polyline  arc length and cutting
arrays    names for array types"""

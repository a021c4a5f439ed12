"""The masks of a run as rasters that every GIS opens, and a catalogue of its images.

masks.py      a mask with its place, read window by window, turned to the north
ranks.py      thin cracks survive when a mask is made smaller
cog.py        one Cloud Optimized GeoTIFF, written block by block
mosaic.py     a VRT over many of them
overview.py   the whole survey in one raster
folder.py     all of these in one folder
catalogue.py  the images as a STAC catalogue
"""

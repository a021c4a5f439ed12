"""Files beside an image that say where it lies. They are as untrusted as the image.

names        which files belong to an image, by their names
links        which of them may be followed
world_files  transform
prj          CRS
aux_xml      what GDAL and ArcGIS write; not followed, but named
text         text files as editors of all systems write them"""

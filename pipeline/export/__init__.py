"""The result of a run in the formats that other programs open.

layers.py      the tables of an output as layers: batches of rows, names and descriptions of columns
write.py       the door: export an output in one format
to_store.py    into object storage
publishing.py  move what was made to its place; keep what a person changed
vectors.py     one layer into one file, by pyogrio
tables.py      FlatGeobuf, GeoJSON, CSV, Shapefile
pmtiles.py     vector tiles of one layer
gpkg.py        the GeoPackage with its styles
content.py     what is in a GeoPackage, whatever its bytes: a digest of rows and styles
styles.py      how QGIS and others draw the layers
qml.py         a style as QGIS writes it
sld.py         the same style for other programs
"""

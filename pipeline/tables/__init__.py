"""Room 6: lines and widths become tables.

crack_rows  lines and widths of one image -> its rows
image_rows  one row for each image
messages    what the row of an image says of doubts and of ground not inspected
collect     the rows of all images -> the two tables
travel      which way the vehicle went
crack_type  longitudinal, transverse, diagonal, pattern
write       the tables as files
geoparquet  GeoParquet: metadata, order, row groups
overlaps/   where images meet, each crack is counted once"""

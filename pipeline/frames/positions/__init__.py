"""Files of positions, as vendors deliver them, become one kind of table.

read       which reader a file gets
table      the table that all readers give
words      names of columns, and how numbers, times and places are written
csv_file   text tables, columns found by name
gpx, nmea  tracks of receivers, joined with frames by time
sbet       trajectories of inertial systems
from_exif  positions that frames carry
layer      layers of points; chainage in names along a line
lcms       XML of LCMS sections
xml        XML without its dangers"""

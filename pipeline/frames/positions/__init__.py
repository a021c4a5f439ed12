"""Files of positions, as vendors deliver them, become one kind of table.

table     the table that all readers give
words     names of columns, and how numbers, times and places are written
csv_file  text tables, columns found by name
read      which reader a file gets"""

"""Room 1: an untrusted file becomes pixels.

reader     a window of an image -> uint8 RGB and which pixels are valid
bands      which bands make red, green, blue and validity
blocks     which blocks of a file are missing or damaged
checksums  damage that compression does not notice
spool      a file that cannot be read in windows, copied into one that can
signature  the format, by first and last bytes
gdal       GDAL's environment, each setting with its reason"""

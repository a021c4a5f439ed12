"""Room 1: an untrusted file becomes pixels.

reader     a window of an image -> uint8 RGB, and why a pixel is not to be inspected
validity   which pixels are pavement, told from arrays alone
decoder    windows of one open file
declared   what a file says about its own pixels: alpha, nodata, masks, missing blocks
zero_tail  zeros up to the end of the file
bands      which bands make red, green, blue and alpha
blocks     which blocks of a file are missing
checksums  damage that compression does not notice
spool      a file that cannot be read in windows, copied into one that can
windows    what passes between the files of this room
unchanged  a file that changes while it is read
signature  the format, by first and last bytes
gdal       GDAL's environment, each setting with its reason"""

"""What a worker does with the rooms.

job         what every task is given
unit        one unit: read, predict, write masks
open_block  a block of an image, opened for reading
looks       looks at several cores at a time: the coarse one, which --screen decides by
network     the network of this process
writing     threads that write finished blocks
lines       an image whose masks are complete: lines and widths
picture     the lines of one picture that is no survey
classes     the classes of a mask that are traced
finish      an image is published, or set aside with a reason
stages      time by stage"""

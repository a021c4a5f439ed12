"""Routes of a road network, and where points lie against them.

centreline   routes from a file of lines, with or without measures
track        routes from the images' own positions, where there is no centreline
chain        parts of a route in order, with measures
axis         routes as segments with ground length and measure
"""

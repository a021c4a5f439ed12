"""A smooth offset field that lays the cracks of an older year on those of a newer one.

layers    one field for each drive, where lanes were driven by themselves
register  the story: a field from the cracks of two years
nodes     where the field has a node: at most one each 20 m
votes     the rough offset of each place, by votes of pairs of points
fit       the nodes' motions from points and lines, by robust least squares
field     the field: small rigid motions, blended"""

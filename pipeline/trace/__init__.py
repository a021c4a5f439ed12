"""Room 4: a mask becomes lines, in pixels.

lines      the room's door: the skeleton of a whole image -> lines
skeleton   mask of a block -> pixels one wide
thinning   Guo and Hall's thinning, block by block
too_wide   regions that are areas, not lines
ridge      where the probability is highest across a line
graph      skeleton pixels -> nodes and paths
cleaning   spurs are pruned
crossings  two junctions of one crossing become one
gaps       gaps between ends that point at each other are bridged
corridors  the cheapest way over a gap
ends       where a line ends
smoothing  pixel chains -> smooth lines"""

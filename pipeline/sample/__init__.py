"""Rendered surveys with their truth.

write  the story
drive  frames of a vehicle and its positions, as vendors deliver them
ahead  what a camera that looks ahead and down sees of a road
delivery  the files of positions
files  images as files, good and bad ones
truth  the cracks that were drawn, as a table"""

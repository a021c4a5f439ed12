"""Rendered surveys with their truth.

write  the story
drive  frames of a vehicle and its positions, as vendors deliver them
files  images as files, good and bad ones
truth  the cracks that were drawn, as a table"""

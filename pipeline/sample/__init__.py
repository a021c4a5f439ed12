"""Rendered surveys with their truth.

write  the story
files  images as files, good and bad ones
truth  the cracks that were drawn, as a table"""

"""Whether the places of all images make sense together.

plausible   places that do not belong to their CRS or to the survey
standstill  one place for images of different ground
one_map     the CRS of the tables, and the way of each image to it"""

"""Photographs with masks become training tiles.

pairs          photographs, masks and their split
plane          pictures of a road become plan views
tiles          tiles of a photograph
augment        random changes of a tile
paper_augment  the paper's random changes
paste          real cracks on crack-free road
"""

"""Photographs with masks become training tiles.

pictures       files of photographs and masks become arrays
pairs          photographs, masks and their split
credits        what sets ask of weights that were trained on them
plane          pictures of a road become plan views
tiles          tiles of a photograph
augment        random changes of a tile
paper_augment  the paper's random changes
paste          real cracks on crack-free road
"""

"""Photographs with masks become training tiles.

pairs          photographs, masks and their split
tiles          tiles of a photograph
augment        random changes of a tile
paper_augment  those of the paper
paste          real cracks on crack-free road"""

"""Roads that are drawn, with cracks of exactly known position and width.

picture    a scene becomes pixels and a mask
scenes     random scenes, and pairs of picture and mask for training
furniture  which objects stand on a road, and how many
objects    how each object looks: paint, patches, joints, stains
labels     the class of every pixel of a scene
texture    bare asphalt and concrete
marks      an object's region and what it does to the light
paths      the ways that cracks take
noise      random fields that depend on the pixel's place alone
cracks     the shape of a crack, and how much of a pixel it covers
"""

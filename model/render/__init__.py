"""Roads that are drawn, with cracks of exactly known position and width.

picture  one picture from a scene
scenes   random scenes, and pairs for training
objects  paint, patches, joints, manholes
labels   masks of a scene
texture  asphalt and concrete
marks    strokes and stains
paths    the ways that cracks take
noise    smooth random fields
cracks   cracks along paths"""

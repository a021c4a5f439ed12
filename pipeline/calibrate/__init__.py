"""Blur and contrast of a camera, measured on its own images.

calibrate  the story
places     which blocks are looked at
edges      blur from straight edges
cracks     contrast from wide cracks
report     the findings for a person
toml_file  the findings written into crackpipe.toml"""

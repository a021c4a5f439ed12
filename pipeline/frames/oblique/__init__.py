"""Frames of a camera that looks ahead and down become plan views.

view     from the camera to the ground, and the ground that a frame shows finely enough
decode   the pixels of a frame
rectify  a decoded frame becomes a plan view, block by block
write    plan views as GeoTIFFs"""

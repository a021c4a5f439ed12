"""Frames of a camera that looks ahead and down become plan views.

view     from the camera to the ground, and which part of a frame is fine enough
rectify  frames become GeoTIFFs"""

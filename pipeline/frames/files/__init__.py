"""Files that are read and written for frames, but for positions.

listing  the frames of a folder: name, size
exif     time, place and camera in a frame's EXIF
camera   camera.toml: scale, mount, clock
oblique  its part about cameras that look ahead and down
beside   hard links, world files, .prj
said     what is told of frames: why one is left out, what was assumed"""

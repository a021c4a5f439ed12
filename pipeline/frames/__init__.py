"""Frames of a vehicle and its positions become a survey that `crackpipe run` takes.

deliver     the story
files/      frames, camera.toml, and what is written beside frames
positions/  CSV, GPX, NMEA, EXIF, point layers, LCMS, chainage -> one table of positions
pose/       frames + positions -> where each frame lies
quality/    gaps, jumps, seams between neighbours
oblique/    plan views of cameras that look ahead and down
write       the files of the survey
geotiff     frames as GeoTIFFs without their EXIF
record      survey.toml and frames.csv: each assumption, each frame
report      the closing lines
told        what a finished survey tells of its delivery, for other programs
lcms_cracks cracks that LCMS found, as tables of a run"""

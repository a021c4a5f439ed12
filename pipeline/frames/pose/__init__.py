"""From frames and positions to where each frame lies.

crs           the CRS of the survey; swapped coordinates
join          which position belongs to which frame, by name
by_time       the same by time
day           positions of another day
week          seconds of the week, GPS or UTC
clock         the offset between two clocks
heading       direction of travel: given, or from the smoothed track
frames_posed  the pose of each frame that has one
place         position + heading + mount -> transform"""

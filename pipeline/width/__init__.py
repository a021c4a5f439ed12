"""Room 5: lines and grey values become widths with an uncertainty.

widths      the room's door: the most probable width of every window
windows     a line is cut into windows of about 50 px
blur        how blurred a line is, also where a camera looked ahead
samples     which pixels lie beside a window, and how far
follow      a line is straightened onto the crack
profiles    the mean grey profile across each window
background  the pavement beside the crack
contrast    how dark this image's cracks are
stretches   windows -> stretches of one width class
row_width   the width of one row of the table
fit/        one window: a blurred slot fitted to a profile"""

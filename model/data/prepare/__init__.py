"""Free photographs become training sets whose labels can be trusted: 255 crack, 0 sound, 127 doubtful.

ridges   dark lines at the width of cracks
tight    labels shrink to the dark core
snap     lines beside the crack move onto it
dnit     dark ridges without a label are doubtful
lane     where the lane of a road section lies, and its plan view
sets     which set gets which step
figures  what a step did to the labels
write    folders in, folders out
"""

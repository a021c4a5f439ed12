"""Where images meet, each crack is counted once.

plane       ground coordinates in which images are compared
parts       pieces of lines, and which images see them
own_ground  each line is cut to the ground that its image sees deepest
doubles     what several images have side by side is dropped
join        networks are connected across seams"""

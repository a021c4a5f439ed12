"""How well the network knows the images of a survey: which tiles tell it, and what a person is told.

places   which tiles of an image tell, by their place in the core grid; what they tell together
told     the survey's figure, its sentence and its warning
"""

"""How good weights are on labelled photographs.

judge        the story: weights and photographs become an `Evaluation`
predictions  photographs become probabilities, in the tiles of a survey
thresholds   the best threshold, and the figures at a threshold
metrics      a mask against its label: IoU, Dice, precision, recall, F1
intervals    how far a figure would move with other photographs
reliability  whether a probability of 0.7 means 7 cracks in 10
familiarity  features of known pictures become statistics in a weights file
comparison   two weights on the same photographs
table        an evaluation as Markdown and CSV
boxplots     an evaluation as box plots
"""

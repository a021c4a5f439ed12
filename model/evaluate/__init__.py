"""How good weights are on labelled photographs.

photographs  the story: photographs -> figures
evaluation   figures of a set
metrics      IoU, Dice, precision, recall, F1
intervals    intervals by bootstrap
reliability  is a probability what it says
comparison   two weights on the same photographs
boxplots     box plots"""

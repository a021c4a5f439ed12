"""Training.

train       the story
config      every constant of a training
recipes     named sets of constants
schedule    learning rate, early stop and what it judges by
losses      BCE, Dice, Tversky, cross entropy, clDice
processes   several processes
checkpoint  what a killed training goes on from
export      weights as a file
calibration probabilities that are those of the labels
log         what a training tells
class_head  weights of one class -> weights of several
imagenet    encoders that saw ImageNet"""

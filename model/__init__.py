"""The network: arrays in, arrays out. Nothing here imports `crackpipe.pipeline`.

The folders from bottom to top. Each imports only from those that stand before it.

networks      the layers
weights       files of weights, read and written
predict       tiles become probability
data, render  labelled photographs, and drawn roads
evaluate      how good weights are on labelled photographs
train         photographs become weights
adapt         weights learn a strange camera from few pictures
"""

"""The networks.

context_cracknet   Context-CrackNet, in full size and lite
one_convolution    a network that costs nothing, to measure the pipeline
torchvision_ops    operators that torchvision lacks beside a CPU build of torch"""

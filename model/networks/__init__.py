"""The networks.

context_cracknet   Context-CrackNet, in full size, lite, and lite with a deeper encoder
one_convolution    a network that costs nothing, to measure the pipeline
torchvision_ops    operators that torchvision lacks beside a CPU build of torch"""

"""The network: arrays in, arrays out. Nothing here imports `crackpipe.pipeline`."""

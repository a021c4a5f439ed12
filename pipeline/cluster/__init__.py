"""Processes that work.

local      processes on this machine's cores
gpus       one process for each GPU
scheduler  a Dask scheduler that is already running
settings   Dask's settings and the environment of workers"""

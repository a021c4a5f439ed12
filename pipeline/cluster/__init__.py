"""Processes that work.

local      processes on this machine's cores
gpus       one process for each GPU
scheduler  a Dask scheduler that is already running
workers    its workers, and what a run asks of them
settings   Dask's settings and the environment of workers"""

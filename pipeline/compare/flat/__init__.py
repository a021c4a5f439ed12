"""Much geometry as flat arrays.

lines     many lines: samples, stretches
ground    parts of the ground, so that time and memory follow the densest of them; roads
threads   several parts at a time
coverage  what a year inspected at a place, and how well the network knew it"""

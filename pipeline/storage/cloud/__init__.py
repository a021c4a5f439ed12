"""Surveys in object storage: images are brought to this machine's disk one by one, and never more than fit.

address   `s3://bucket/prefix` and the like, without the secrets that may stand in them
stores    the three kinds of store: list what is there, read a range of bytes
answers   what a store's refusal means, and trying again
manifest  a text file of https addresses
mirror    names of objects become a tree of hollow files that has the survey's names and sizes
fill      the bytes of a hollow file come, in the order in which somebody asks for them
stage     the bound on the disk, and images whole before anybody works on them
survey    what a run calls: list, mirror and stage its surveys
upload    finished exports go to a store"""

"""One file per algorithm: what a person fills in becomes words of the command line.

base      starts the program, shows what it says, ends it when a person cancels
run       `crackpipe run`
sections  `crackpipe sections`
export    `crackpipe export`
report    `crackpipe report`"""

"""What survives a kill.

output      folders and files of an output
markers     the marker of a finished image
staging     work in the making
publishing  staged work becomes the result
removed     finished images that left the survey
lock        one run at a time
owner       who holds the lock, and whether it is alive
flock       locks of the operating system
writers     workers that still write"""

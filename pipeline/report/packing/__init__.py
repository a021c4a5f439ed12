"""Places and columns in a form that a page can hold and unpack quickly.

plane.py   a flat plane in metres around the survey
pack.py    columns and lines as short texts
"""

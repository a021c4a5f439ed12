"""Places and columns in a form that a page can hold and unpack quickly.

plane.py       a flat plane in metres around the survey
deliveries.py  tracks and oddities of deliveries
pack.py        columns and lines as short texts
"""

"""The report of a finished run: one HTML file that a person opens, prints and passes on.

report.py      the story: OUT -> OUT/report.html
tables.py      the tables of a run, as columns
sections.py    road sections, where `crackpipe sections` wrote them, the worst first
map_data.py    what the map shows, on one plane
packing/       the plane, and columns as short texts that the page unpacks
choose.py      which cracks get a picture
images.py      the images of the survey as they lie on disk now
cutouts.py     pictures of cracks, with mask and line
figures.py     lengths, widths, coverage, familiarity
changes.py     what changed since the previous result, and since an older year
provenance.py  weights, credits, threshold, version
page.py        everything into one file that fetches nothing
page/          the page itself: HTML, style, scripts, and the map library Leaflet as its npm package has it
"""

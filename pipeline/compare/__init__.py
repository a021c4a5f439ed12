"""`crackpipe compare`: what became of the cracks of one road between two years.

compare        the story, and its door
years          an output folder becomes a year: lines on a plane in metres, widths, inspected ground
comparable     what two years must have in common, and the remedy where they do not
again          the command that does a year again
laid           the older year where the newer one sees it, and what both show there
registration/  the offset field between them
stretches/     which stretches both show, and what became of the others
rows           stretches become the rows of a table
table          `changes.parquet`
sections       `changes_sections.parquet`: what changed per section, and how surely
summary        `changes.json` and the closing lines
flat/          many lines as arrays; parts of the ground"""

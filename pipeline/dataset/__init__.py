"""A finished run and corrected lines become training pairs.

write         the story
finished_run  what is read of a run
parts         which parts of an image become pairs
labels        lines -> masks
reviewed      the corrected lines that a GIS wrote"""

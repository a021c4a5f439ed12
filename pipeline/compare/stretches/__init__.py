"""Stretches of cracks, and what became of them.

match     which stretches both years show
verdicts  new, longer, repaired, not seen: what only one year shows
widths    the change of a width, and how sure it is"""

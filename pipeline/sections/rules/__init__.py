"""What standards make of the figures of a section. A profile is a file, `NAME.toml`.

profile     reads a profile; a rule that is only believed is off, and ours stands in
measures    the figures that profiles name
grades      percentages become grades
ratings     a profile's figures as tables, and rows for HPMS
"""

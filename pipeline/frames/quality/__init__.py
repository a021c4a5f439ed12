"""How good a delivery is, in numbers with reasons; and neighbours brought together by what they both show.

track   gaps, jumps, doubles, standstills, wrong direction
seams   how far neighbours are off each other, by image correlation
adjust  positions that agree with the seams
check   the story
text    the report for a person and for programs"""

"""How a camera that looks ahead stands, from lane lines in many of its frames.

stand  the story: from frames to height and angles, and what they rest on
edges  from the lines of many frames to the two edges of the lane
marks  bright straight lines in one frame"""

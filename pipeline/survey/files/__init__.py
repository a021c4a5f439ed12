"""From the sources of a survey to files that may be opened.

find        files that could be meant as images, in folders and lists
manifest    a text file that lists images
formats     what the suffix of a file says
candidates  one file: its kind, its size, links
facts       survey.toml: acquisition date, direction of travel"""

"""Which pixels are pavement to be inspected, told from arrays alone.

reasons     why a pixel is not inspected, and what a person is told
islands     thin islands without data are pavement
collar      black and white collars that nobody declared
fill        what hangs together with a corner of an image
spoilt      what lossy compression leaves around a part without data
squares     runs and squares of pixels"""

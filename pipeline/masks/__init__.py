"""Room 3: blocks of probability become masks on disk.

values          what the numbers in a mask mean
group           the Zarr group of one image
arrays          the arrays and chunks in it
attributes      where on earth it lies, told three ways
inspected_area  the ground that was inspected, as a polygon"""

"""What Python users call. `crackpipe/__init__.py` gives these names out, as `crackpipe.open`.

crack_map   `open`: the folder of a result, with its tables and masks
masks       the mask of one image as an xarray.DataArray
options     the keywords of `run`, which are the options of the command line
run         `run`: a survey becomes crack maps
line_width  `measure_width`: the width of a line in an image array"""

"""Room 0: which files are images, and where each lies on the ground.

load        the survey as a whole: accepted images and rejected ones
files/      from folders and lists to files that may be opened
opening     first bytes and TIFF directory -> GDAL driver
accept      header -> SurveyImage, or the reason why not
sidecars/   world files and .prj files
place       transform, CRS and GSD of one image
tiff_tags   the TIFF directory, where GDAL does not tell
claims      a world file serves one image
duplicates  files of the same content and place
white_level 16-bit images that do not say which value is white
places/     whether the places of all images make sense together
memory      what earlier runs learnt of files that did not change
region      which pixels --region leaves to inspect"""

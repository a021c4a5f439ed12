"""Room 0: which files are images, and where each lies on the ground.

load        the survey as a whole: accepted images and rejected ones
find        files that could be meant as images
candidates  one file, its sidecars and its time
accept      header -> SurveyImage, or the reason why not
place       transform, CRS and GSD of one image
sidecars    world files and .prj files
tiff_tags   the TIFF directory, where GDAL does not tell
duplicates  files of the same content and place
memory      what earlier runs learnt of files that did not change
facts       survey.toml: acquisition date, direction of travel
region      which pixels --region leaves to inspect"""

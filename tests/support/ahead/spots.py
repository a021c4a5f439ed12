"""Round spots on a grey road, as a camera sees them that looks ahead, and where they are found again."""

import numpy as np
from scipy.ndimage import center_of_mass, label

from crackpipe.model.data.plane import to_ground
from crackpipe.pipeline.frames.files.oblique import Oblique
from crackpipe.pipeline.frames.oblique.view import camera_to_ground
from crackpipe.pipeline.geometry.arrays import Floats

SIZE = (480, 640)
CAMERA = Oblique(gsd_mm=8.0, focal_px=600.0, height_m=2.4, pitch_deg=35.0, roll_deg=2.0)
# (right, ahead) in metres
SPOTS = np.array([[-0.8, 2.6], [0.7, 2.7], [0.1, 3.4], [-0.9, 4.2], [1.0, 4.4]])


def picture(camera: Oblique) -> Floats:
    """A frame of a grey road with round spots, 60 mm wide, whose middles on the ground are known."""
    matrix = camera_to_ground(camera, SIZE)
    row, col = np.mgrid[0 : SIZE[0], 0 : SIZE[1]]
    ground = to_ground(matrix, np.column_stack([row.ravel(), col.ravel()]))
    grey = np.full(len(ground), 60.0)
    for spot in SPOTS:
        away = np.hypot(*(ground - spot).T)
        grey += 180 * np.clip((0.06 - away) / 0.02, 0, 1)
    return grey.reshape(SIZE)


def middles(grey: Floats) -> Floats:
    """Middles (N, 2) (row, col) of bright spots, from the top."""
    found, count = label(grey > 120)
    return np.array(center_of_mass(grey - 60, found, range(1, count + 1)))

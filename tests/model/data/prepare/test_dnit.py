import numpy as np

from crackpipe.model.data.prepare.dnit import trusted


def test_dark_lines_without_a_label_are_doubtful_and_the_rest_is_a_negative() -> None:
    grey = np.random.default_rng(4).normal(120, 4, (100, 160)).astype(np.float32)
    grey[30:32, 20:120] -= 30  # labelled in its left part only
    grey[70:72, 60:140] -= 30  # not labelled at all
    grey[90:92, 30:33] -= 30  # a dark stone
    mask = np.zeros(grey.shape, np.uint8)
    mask[:, 150:] = 127
    mask[29:33, 20:60] = 255
    result = trusted(grey, mask)
    assert (result[30:32, 22:58] == 255).all()
    assert (result[30:32, 65:118] == 127).all()
    assert (result[67:75, 65:135] == 127).all()
    assert (result[:, 150:] == 127).all()
    assert (result == 0)[[*range(20), *range(45, 60), *range(80, 100)], :145].mean() > 0.97

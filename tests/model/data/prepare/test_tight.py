import numpy as np
import pytest

from crackpipe.model.data.prepare.tight import half_width_px, tight


def pavement(shape: tuple[int, int] = (60, 90)) -> np.ndarray:
    return np.random.default_rng(2).normal(120, 3, shape).astype(np.float32)


def test_a_wide_label_shrinks_to_the_dark_core() -> None:
    grey = pavement()
    grey[30:33] -= 40  # a crack 3 px wide
    mask = np.zeros(grey.shape, np.uint8)
    mask[26:37] = 255  # labelled 11 px wide
    result = tight(grey, mask)
    assert (result[30:33, 5:-5] == 255).all()
    assert (result[[25, 26, 27, 28, 34, 35, 36, 37], 5:-5] == 127).all()
    assert (result[:25] == 0).all()
    assert (result[38:] == 0).all()


def test_a_label_on_sound_pavement_is_doubtful_as_a_whole() -> None:
    mask = np.zeros((60, 90), np.uint8)
    mask[28:33] = 255
    result = tight(pavement(), mask)
    assert (result == 255).sum() == 0
    assert (result[27:34] == 127).all()
    assert (result == 127).sum() == 7 * 90


def test_where_the_crack_ends_the_label_is_doubtful() -> None:
    grey = pavement()
    grey[30:33, :45] -= 40
    mask = np.zeros(grey.shape, np.uint8)
    mask[28:35] = 255
    result = tight(grey, mask)
    assert (result[31, 3:38] == 255).all()
    assert (result[28:35, 60:] == 127).all()


def test_a_clearer_core_may_be_asked_for() -> None:
    grey = pavement()
    grey[30:33] -= 12
    mask = np.zeros(grey.shape, np.uint8)
    mask[29:34] = 255
    assert (tight(grey, mask)[31] == 255).mean() > 0.9
    assert (tight(grey, mask, clear=20.0) == 255).sum() == 0


def test_what_was_doubtful_stays_so_and_nothing_is_nothing() -> None:
    mask = np.zeros((60, 90), np.uint8)
    mask[:, :20] = 127
    result = tight(pavement(), mask)
    assert np.array_equal(result, mask)
    assert result is not mask


@pytest.mark.parametrize("width", [1, 3, 7, 15])
def test_half_of_a_width(width: int) -> None:
    crack = np.zeros((40, 60), bool)
    crack[10 : 10 + width] = True
    assert half_width_px(crack) == pytest.approx((width + 1) / 2)
    assert half_width_px(np.zeros((4, 4), bool)) == 0

import numpy as np
import pytest

from pose3d_ros.detection.letterbox import PADDING, Letterbox


@pytest.mark.parametrize(
    'image_hw', [(480, 640), (1080, 1920), (1920, 1080), (100, 90), (256, 448)]
)
def test_there_and_back(image_hw):
    letterbox = Letterbox.fit(image_hw, (256, 448), 8)
    corners = np.array([[0, 0], [image_hw[1] - 1, image_hw[0] - 1], [3.25, 7.5]])
    np.testing.assert_allclose(letterbox.to_image(letterbox.to_grid(corners)), corners, atol=1e-9)


def test_no_scaling_means_half_a_pixel():
    letterbox = Letterbox.fit((256, 448), (256, 448), 8)
    # The centre of the first pixel lies half a pixel from the grid's corner.
    np.testing.assert_allclose(letterbox.to_grid(np.zeros(2)), [0.5 / 8, 0.5 / 8])


def test_a_mark_in_the_image_is_where_the_formula_says():
    """A soft white spot in a portrait image, found again by its centre of mass."""
    row, column = np.mgrid[:900, :600]
    spot = 255 * np.exp(-((column - 220) ** 2 + (row - 320) ** 2) / (2 * 15**2))
    bgr = np.repeat(spot[..., None], 3, axis=2).astype(np.uint8)
    letterbox = Letterbox.fit((900, 600), (256, 448), 8)
    padded = letterbox.apply(bgr, (256, 448))
    ys, xs = np.mgrid[:256, :448] + 0.5
    black = letterbox.apply(np.zeros_like(bgr), (256, 448))
    weight = padded[..., 0].astype(float) - black[..., 0]
    centre = np.array([(xs * weight).sum(), (ys * weight).sum()]) / weight.sum()
    np.testing.assert_allclose(letterbox.to_image(centre / 8), [220, 320], atol=0.05)


def test_aspect_ratio_is_kept_and_the_rest_is_grey():
    padded = Letterbox.fit((100, 100), (256, 448), 8).apply(
        np.full((100, 100, 3), 7, np.uint8), (256, 448)
    )
    assert padded.shape == (256, 448, 3)
    assert (padded[1:-1, 97:351] == 7).all()
    assert (padded[:, :95] == PADDING).all()
    assert (padded[:, 353:] == PADDING).all()

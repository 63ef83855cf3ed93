import numpy as np
import pytest

from pose3d_ros.detection.letterbox import PADDING, Letterbox

INPUT_HW = (256, 448)
FITS = ['centred', 'top_left', 'stretched']


@pytest.mark.parametrize('fit', FITS)
@pytest.mark.parametrize(
    'image_hw', [(480, 640), (1080, 1920), (1920, 1080), (1079, 1919), (100, 90), (256, 448)]
)
def test_positions_are_converted_there_and_back(image_hw, fit):
    letterbox = Letterbox.fit(image_hw, INPUT_HW, 8, fit)
    corners = np.array([[0, 0], [image_hw[1] - 1, image_hw[0] - 1], [3.25, 7.5]])
    np.testing.assert_allclose(letterbox.to_image(letterbox.to_grid(corners)), corners, atol=1e-9)


def test_without_scaling_centres_and_edges_are_half_a_pixel_apart():
    letterbox = Letterbox.fit(INPUT_HW, INPUT_HW, 8)
    # The centre of the first pixel lies half a pixel from the grid's corner.
    np.testing.assert_allclose(letterbox.to_grid(np.zeros(2)), [0.5 / 8, 0.5 / 8])


@pytest.mark.parametrize('fit', FITS)
@pytest.mark.parametrize(
    'image_hw', [(900, 600), (1543, 2057), (719, 1279), (230, 310), (512, 896)]
)
def test_a_spot_in_the_image_is_where_the_formula_says(image_hw, fit):
    """A soft white spot near the right bottom corner, found by its centre of mass."""
    height, width = image_hw
    x, y = 0.9 * width + 0.3, 0.85 * height + 0.4
    sigma = height / 50
    row, column = np.mgrid[:height, :width]
    spot = 255 * np.exp(-((column - x) ** 2 + (row - y) ** 2) / (2 * sigma**2))
    bgr = np.repeat(spot[..., None], 3, axis=2).astype(np.uint8)
    letterbox = Letterbox.fit(image_hw, INPUT_HW, 8, fit)
    black = letterbox.apply(np.zeros_like(bgr), INPUT_HW)
    weight = letterbox.apply(bgr, INPUT_HW)[..., 0].astype(float) - black[..., 0]
    ys, xs = np.mgrid[: INPUT_HW[0], : INPUT_HW[1]] + 0.5
    centre = np.array([(xs * weight).sum(), (ys * weight).sum()]) / weight.sum()
    wanted = 8 * letterbox.to_grid(np.array([x, y]))
    np.testing.assert_allclose(centre, wanted, atol=0.05)  # input px


@pytest.mark.parametrize(
    'image_hw',
    [
        *[(2048, 2448), (2047, 2447), (1500, 2000), (1542, 2056), (719, 1279), (400, 700)],
        *[(320, 560), (384, 672), (395, 690), (788, 1380)],  # linear interpolation, up to 1.55
    ],
)
def test_noise_is_averaged_at_every_size(image_hw):
    """Of white noise, an area filter leaves as much as one input px has of an image px."""
    noise = np.random.default_rng(0).normal(128, 40, (*image_hw, 3))
    noisy = np.clip(noise, 0, 255).astype(np.uint8)
    letterbox = Letterbox.fit(image_hw, INPUT_HW)
    x, y = letterbox.offset_xy
    seen = letterbox.apply(noisy, INPUT_HW)[y + 1 : 255 - y, x + 1 : 447 - x]
    left = np.sqrt(np.prod(letterbox.scale))
    assert seen.astype(float).std() < 1.05 * left * noisy.astype(float).std()


def test_aspect_ratio_is_kept_and_the_rest_is_padded():
    bgr = np.full((100, 100, 3), 7, np.uint8)
    padded = Letterbox.fit((100, 100), INPUT_HW, 8).apply(bgr, INPUT_HW)
    assert padded.shape == (256, 448, 3)
    assert (padded[:, 96:352] == 7).all()
    assert (padded[:, :96] == PADDING).all()
    assert (padded[:, 352:] == PADDING).all()
    padded = Letterbox.fit((100, 100), INPUT_HW, 8, 'top_left', 114).apply(bgr, INPUT_HW)
    assert (padded[:, :256] == 7).all()
    assert (padded[:, 256:] == 114).all()
    stretched = Letterbox.fit((100, 100), INPUT_HW, 8, 'stretched').apply(bgr, INPUT_HW)
    assert (stretched == 7).all()


@pytest.mark.parametrize('image_hw', [(1, 1), (1, 500), (500, 1), (2, 3), (5, 4000)])
def test_images_of_extreme_shapes_are_fitted(image_hw):
    padded = Letterbox.fit(image_hw, INPUT_HW).apply(np.zeros((*image_hw, 3), np.uint8), INPUT_HW)
    assert padded.shape == (*INPUT_HW, 3)


def test_the_image_is_not_changed():
    bgr = np.random.default_rng(0).integers(0, 256, (301, 403, 3), np.uint8)
    before = bgr.copy()
    Letterbox.fit(bgr.shape[:2], INPUT_HW).apply(bgr, INPUT_HW)
    np.testing.assert_array_equal(bgr, before)

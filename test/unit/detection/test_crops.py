"""Crops: where windows lie, what is in them, and positions back in the image."""

import cv2
import numpy as np
import pytest

from pose3d_ros.detection import crops

INPUT_HW = (256, 192)


@pytest.mark.parametrize('box', [(100, 50, 180, 350), (100, 50, 500, 150), (7, 7, 7, 7)])
def test_window_has_the_margin_the_aspect_and_the_centre_of_the_box(box):
    box = np.array([box], float)
    (window,) = crops.crop_windows(box, INPUT_HW, 1.25)
    size = window[2:] - window[:2]
    assert size.min() >= crops.MIN_WINDOW_PX
    np.testing.assert_allclose(
        (window[:2] + window[2:]) / 2, box[0, :2] / 2 + box[0, 2:] / 2, atol=1
    )
    wanted = 1.25 * (box[0, 2:] - box[0, :2])
    if wanted.any():
        assert (size >= wanted - 1).all()
        assert size[0] / size[1] == pytest.approx(INPUT_HW[1] / INPUT_HW[0], rel=0.01)
        assert (np.abs(size - wanted) < 1).any()


def test_positions_return_to_the_image_by_the_same_formula():
    windows = crops.crop_windows(np.array([[20.0, 30, 120, 230], [-50, 0, 60, 70]]), INPUT_HW, 1.0)
    corners = np.array([[0.0, 0.0], [INPUT_HW[1], INPUT_HW[0]]])
    back = crops.to_image(np.stack([corners, corners]), windows, INPUT_HW)
    # Outer edges of the first and of the last pixel.
    np.testing.assert_allclose(back[:, 0], windows[:, :2] - 0.5)
    np.testing.assert_allclose(back[:, 1], windows[:, 2:] - 0.5)


def test_a_drawn_point_lies_where_the_formula_says():
    bgr = np.zeros((480, 640, 3), np.uint8)
    cv2.circle(bgr, (301, 203), 6, (255, 255, 255), -1)
    windows = crops.crop_windows(
        np.array([[200.0, 80, 400, 430], [290, 190, 330, 240]]), INPUT_HW, 1.25
    )
    for crop, window in zip(crops.cut(bgr, windows, INPUT_HW), windows, strict=True):
        row, column = np.nonzero(crop[..., 0] > 127)
        edge_xy = np.array([[[column.mean() + 0.5, row.mean() + 0.5]]])
        back = crops.to_image(edge_xy, window[np.newaxis], INPUT_HW)
        np.testing.assert_allclose(back[0, 0], (301, 203), atol=0.3)


@pytest.mark.parametrize('factor', [2, 3, 4.7])
def test_scaling_down_is_the_mean_over_the_area(factor):
    # A chequered image has no frequency that the crop could show: it is grey all over.
    bgr = np.zeros((1400, 1400, 3), np.uint8)
    bgr[::2, ::2] = bgr[1::2, 1::2] = 255
    side = 192 * factor
    windows = crops.crop_windows(np.array([[50.0, 50, 50 + side, 50 + side]]), (192, 192), 1.0)
    (crop,) = crops.cut(bgr, windows, (192, 192))
    assert np.abs(crop.astype(int) - 127).max() < 40


@pytest.mark.parametrize(
    'box', [(-200, -100, 100, 300), (560, 400, 900, 700), (-500, 0, -300, 200)]
)
def test_outside_of_the_image_is_padding(box):
    bgr = np.full((480, 640, 3), 200, np.uint8)
    windows = crops.crop_windows(np.array([box], float), INPUT_HW, 1.0)
    (crop,) = crops.cut(bgr, windows, INPUT_HW, padding=7)
    rows, columns = np.meshgrid(*(np.arange(n) + 0.5 for n in INPUT_HW), indexing='ij')
    xy_px = crops.to_image(np.stack([columns, rows], -1).reshape(1, -1, 2), windows, INPUT_HW)[0]
    outside = np.maximum(-0.5 - xy_px, xy_px - (639.5, 479.5)).max(axis=1)
    values = crop[..., 0].ravel()
    px = (windows[0, 2] - windows[0, 0]) / INPUT_HW[1]  # image px per px of the input
    assert (values[outside > px] == 7).all()
    assert (values[outside < -px] == 200).all()


def test_no_boxes_are_no_crops_and_the_image_is_left_alone():
    bgr = np.full((48, 64, 3), 9, np.uint8)
    windows = crops.crop_windows(np.zeros((0, 4)), INPUT_HW, 1.25)
    assert crops.cut(bgr, windows, INPUT_HW).shape == (0, *INPUT_HW, 3)
    assert crops.to_image(np.zeros((0, 17, 2)), windows, INPUT_HW).shape == (0, 17, 2)
    assert (bgr == 9).all()

"""Post-training quantisation to int8 with NNCF, judged on images that it was not calibrated on."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import openvino as ov
from numpy.typing import NDArray

from pose3d_ros.detection.letterbox import Letterbox
from pose3d_ros.models import ModelError

STRIDE_PX = 8
_SUFFIXES = ('.bmp', '.jpeg', '.jpg', '.png', '.ppm', '.tif', '.tiff', '.webp')
_MIN_IMAGES = 10
_HELD_OUT_STEP = 5  # every fifth image is held out
_MAX_IMAGES = 300  # NNCF's own default for calibration
_PEAK_SCORE = 0.1
_SAME_PEAK_CELLS = 2.0
_UNIT_MM = 1800.0  # of the location maps: an assumed body height of 1.80 m


@dataclass(frozen=True)
class Difference:
    """Change of the outputs by quantisation, over all images.

    Parameters
    ----------
    keypoints
        Number of peaks in the heatmaps of f32.
    lost, new
        Share of these that int8 lacks, and number of those that only int8 has as a share of them.
    moved_px
        ``(P,)`` px of the network's input, displacement of the peaks that both have, in steps of
        the grid.
    location_mm
        ``(P,)`` mm, largest change of a coordinate in the location maps at the keypoints of f32;
        ``(0,)`` for a network without location maps.
    """

    keypoints: int
    lost: float
    new: float
    moved_px: NDArray[np.float64]
    location_mm: NDArray[np.float64]

    def __str__(self) -> str:
        if not self.keypoints:
            return 'f32 finds no keypoint'
        moved = self.moved_px if self.moved_px.size else np.array([np.nan])
        location = ''
        if self.location_mm.size:
            location = f'; location maps moved by {np.median(self.location_mm):.0f} mm (median)'
        return (
            f'{self.keypoints} keypoints of f32: {self.lost:.1%} lost, {self.new:.1%} new, the '
            'others '
            f'moved by {moved.mean():.1f} px on average ({np.percentile(moved, 95):.0f} px at 95 '
            '%)' + location
        )


def quantiser(folder: Path | None, max_lost: float) -> Callable[[ov.Model], tuple[ov.Model, str]]:
    """Return a function that quantises a network to int8, after checking its requirements.

    Parameters
    ----------
    folder
        At least 10 images with people, taken by the camera that will be used. Every fifth is held
        out to judge the result on.
    max_lost
        Largest share of keypoints that may be lost or new, [0, 1]. 1: every result is accepted.

    Raises
    ------
    ModelError
        At once if NNCF or images are missing; by the function, if int8 loses more than that.
    """
    if folder is None:
        raise ModelError(
            'int8 is calibrated on images of your camera: state their folder with '
            '--calibration-images'
        )
    _nncf()
    paths = sorted(p for p in folder.glob('*') if p.suffix.lower() in _SUFFIXES)[:_MAX_IMAGES]
    if len(paths) < _MIN_IMAGES:
        raise ModelError(
            f'expected at least {_MIN_IMAGES} images in {folder}, found {len(paths)} '
            f'({" ".join(_SUFFIXES)})'
        )
    for path in paths:
        if not cv2.haveImageReader(str(path)):
            raise ModelError(f'{path} is not an image that OpenCV reads')

    def convert(model: ov.Model) -> tuple[ov.Model, str]:
        inputs = [letterboxed(_read(path), input_hw(model)) for path in paths]
        held_out = inputs[::_HELD_OUT_STEP]
        quantised = quantise(model, [x for i, x in enumerate(inputs) if i % _HELD_OUT_STEP])
        difference = compare(model, quantised, held_out)
        report = f'int8 on {len(held_out)} held-out images, {difference}'
        _judge(difference, max_lost, report)
        return quantised, report

    return convert


def _judge(difference: Difference, max_lost: float, report: str) -> None:
    if max_lost >= 1:
        return
    if not difference.keypoints:
        raise ModelError(f'int8 cannot be judged: {report}. Use images with people')
    if max(difference.lost, difference.new) > max_lost:
        raise ModelError(f'int8 is refused, more than {max_lost:.0%} lost or new: {report}')


def quantise(model: ov.Model, inputs: Sequence[NDArray[np.float32]]) -> ov.Model:
    """Quantise a network.

    Parameters
    ----------
    model
        Takes BGR 0..255; it is not changed.
    inputs
        For calibration, as `letterboxed` returns them.
    """
    nncf = _nncf()
    logging.getLogger('nncf').setLevel(logging.WARNING)
    # NNCF gives all inputs of a concatenation one scale, which rounds the maps (0 to 1) to nothing
    # where they are concatenated with features of a larger range.
    not_concatenations = nncf.IgnoredScope(types=['Concat'], validate=False)
    dataset = nncf.Dataset(list(inputs))
    return nncf.quantize(
        model.clone(), dataset, subset_size=len(inputs), ignored_scope=not_concatenations
    )


def compare(a: ov.Model, b: ov.Model, inputs: Sequence[NDArray[np.float32]]) -> Difference:
    """Compare the keypoints of two networks; operations that are not int8 run in float32."""
    core = ov.Core()
    config = {'INFERENCE_PRECISION_HINT': 'f32'}
    networks = [core.compile_model(model, 'CPU', config) for model in (a, b)]
    has_location_maps = 'features' in {name for o in a.outputs for name in o.get_names()}
    count = lost = new = 0
    moved: list[float] = []
    location: list[float] = []
    for x in inputs:
        of_a, of_b = (network(x) for network in networks)
        for map_a, map_b in zip(of_a['heatmaps'][0][:-1], of_b['heatmaps'][0][:-1], strict=True):
            peaks_a, peaks_b = _peaks(map_a), _peaks(map_b)
            count += len(peaks_a)
            nearest_of_a = _nearest(peaks_a, peaks_b)
            lost += int((nearest_of_a > _SAME_PEAK_CELLS).sum())
            new += int((_nearest(peaks_b, peaks_a) > _SAME_PEAK_CELLS).sum())
            moved += list(nearest_of_a[nearest_of_a <= _SAME_PEAK_CELLS] * STRIDE_PX)
            if has_location_maps:
                change = np.abs(of_a['features'][0] - of_b['features'][0]).max(axis=0)
                location += list(change[peaks_a[:, 0], peaks_a[:, 1]] * _UNIT_MM)
    share = max(count, 1)
    return Difference(count, lost / share, new / share, np.array(moved), np.array(location))


def letterboxed(image: NDArray[np.uint8], hw: tuple[int, int]) -> NDArray[np.float32]:
    """Return an image fitted into ``hw`` px as at run time, ``(1, 3, height, width)``, BGR."""
    fitted = Letterbox.fit(image.shape[:2], hw, STRIDE_PX).apply(image, hw)
    return np.ascontiguousarray(fitted.transpose(2, 0, 1)[None], np.float32)


def input_hw(model: ov.Model) -> tuple[int, int]:
    """Return height and width of a network's input, px."""
    _, _, height, width = model.input(0).get_shape()
    return int(height), int(width)


def _peaks(heatmap: NDArray[np.float32]) -> NDArray[np.intp]:
    """Return row and column ``(P, 2)`` of the cells that none of the eight neighbours exceeds."""
    highest = cv2.dilate(heatmap, np.ones((3, 3), np.uint8))
    return np.argwhere((heatmap == highest) & (heatmap > _PEAK_SCORE))


def _nearest(points: NDArray[np.intp], others: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the distance of each point to the nearest of `others`, infinite if there is none."""
    distances = np.linalg.norm(points[:, None] - others[None], axis=-1)
    return np.asarray(distances.min(axis=1, initial=np.inf))


def _read(path: Path) -> NDArray[np.uint8]:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise ModelError(f'{path} is not an image that OpenCV reads')
    return np.asarray(image, np.uint8)


def _nncf() -> Any:
    try:
        return import_module('nncf')
    except ImportError as error:
        raise ModelError(f"int8 needs NNCF: pip install 'nncf>=3.4,<4' ({error})") from error

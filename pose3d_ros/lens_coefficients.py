"""Distortion coefficients of CameraInfo and files, read as OpenCV and image_geometry read them."""

from __future__ import annotations

from collections.abc import Sequence

from pose3d_ros.wording import did_you_mean

# Numbers of coefficients k1 k2 p1 p2 k3 k4 k5 k6 s1 s2 s3 s4 tx ty that OpenCV accepts (calib3d).
# With 4 or 5 it is the model plumb_bob, with more rational_polynomial.
OPENCV_LENGTHS = (4, 5, 8, 12, 14)
FISHEYE_LENGTH = 4
# Names of the two models, also those that other programs write.
OPENCV_MODELS = ('plumb_bob', 'rational_polynomial', 'radtan', '')
FISHEYE_MODELS = ('equidistant', 'fisheye', 'equi', 'kannala_brandt', 'kannala_brandt4')


def read_distortion(model: str, d: Sequence[float]) -> tuple[str, tuple[float, ...], str]:
    """Return model, coefficients and what was assumed.

    Zeros are no distortion in every model. The number of coefficients decides between plumb_bob
    and rational_polynomial, as in OpenCV; trailing zeros do not count.

    Parameters
    ----------
    model
        ``distortion_model`` of a CameraInfo or a calibration file.
    d
        Its coefficients.

    Returns
    -------
    str, tuple of float, str
        A model of ``Intrinsics`` with its coefficients, and '' or what was assumed.

    Raises
    ------
    ValueError
        If the coefficients cannot be read.
    """
    if not any(d):
        return 'plumb_bob', (), ''
    name = model.strip().lower().replace(' ', '_').replace('-', '_')
    length = max(i + 1 for i, value in enumerate(d) if value)
    if name in FISHEYE_MODELS:
        if length > FISHEYE_LENGTH:
            raise ValueError(
                f'distortion model {model!r} has {FISHEYE_LENGTH} coefficients, found {length}'
            )
        note = '' if name == 'equidistant' else f'distortion model {model!r} read as equidistant'
        return 'equidistant', _padded(d, FISHEYE_LENGTH), note
    if name not in OPENCV_MODELS:
        raise ValueError(f'distortion model {model!r} is unknown{_suggestion(name)}')
    if length > OPENCV_LENGTHS[-1] or length == len(d) == 3:
        raise ValueError(
            f'distortion model {model!r} has {", ".join(map(str, OPENCV_LENGTHS))} '
            f'coefficients, found {len(d)}'
        )
    number = next(n for n in OPENCV_LENGTHS if n >= length)
    known = 'plumb_bob' if number <= 5 else 'rational_polynomial'
    note = '' if name else f'empty distortion model read as {known}'
    if len(d) not in OPENCV_LENGTHS:
        note = f'{len(d)} distortion coefficients read as {number} of {known}'
    return known, _padded(d, number), note


def _padded(d: Sequence[float], number: int) -> tuple[float, ...]:
    return (*map(float, d[:number]), *[0.0] * (number - len(d)))


def _suggestion(name: str) -> str:
    known = [n for n in (*OPENCV_MODELS, *FISHEYE_MODELS) if n]
    return did_you_mean(known, name) or f'; known are {", ".join(known)}'

"""Simulate a camera: exposure, white balance, blur, noise, JPEG."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def photograph(
    light: NDArray[np.float32], random: np.random.Generator, good: bool = False
) -> NDArray[np.uint8]:
    """Photograph linear light ``(H, W, 3)`` BGR with a randomly sampled camera.

    `good`: without motion blur, and neither too bright nor too dark.
    """
    if good:
        exposure = random.uniform(0.36, 0.55) / (float(light[::4, ::4].mean()) + 0.05)
        sharp = cv2.GaussianBlur(light, (0, 0), random.uniform(0.4, 0.6))
        return tone(np.asarray(sharp, np.float32), exposure, random.uniform(0.002, 0.012), random)
    exposure = 2 ** random.normal(-0.1, 0.35) * 0.42 / (float(light[::4, ::4].mean()) + 0.05)
    balance = random.normal(1, 0.05, 3)
    light = _blur(light, random) * balance.astype(np.float32)
    bgr = tone(light, exposure, 0.004 + 0.035 * random.random() ** 3, random)
    if random.random() < 0.4:
        return bgr
    quality = int(random.integers(35, 95))
    _, packed = cv2.imencode('.jpg', bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)


def tone(
    light: NDArray[np.float32], exposure: float, noise: float, random: np.random.Generator
) -> NDArray[np.uint8]:
    """Convert linear light to display values, with a soft shoulder, a gamma of 2, and noise."""
    light = np.minimum(light * np.float32(exposure), 4)
    values = np.sqrt(light * (1 + light / 6) / (1 + 0.8 * light))
    noisy = values + np.float32(noise) * random.standard_normal(values.shape, np.float32)
    return np.clip(noisy * 255, 0, 255).astype(np.uint8)


def _blur(light: NDArray[np.float32], random: np.random.Generator) -> NDArray[np.float32]:
    kind = random.random()
    if kind < 0.15:  # the camera moves
        length = int(random.integers(3, 8))
        kernel = np.zeros((length, length), np.float32)
        angle = random.uniform(0, np.pi)
        middle = (length - 1) / 2
        for t in np.linspace(-middle, middle, 2 * length):
            x, y = middle + t * np.cos(angle), middle + t * np.sin(angle)
            kernel[round(y), round(x)] = 1
        return np.asarray(cv2.filter2D(light, -1, kernel / kernel.sum()), np.float32)
    sigma = 0.45 if kind < 0.6 else random.uniform(0.45, 1.4)
    return np.asarray(cv2.GaussianBlur(light, (0, 0), sigma), np.float32)

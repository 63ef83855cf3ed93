"""Combining estimates of the same point, each with its covariance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def product(mean_m: Array, covariance_m2: Array, weight: Array) -> tuple[Array, Array]:
    """Combine estimates whose errors are independent: the product of their distributions.

    Of estimates that are precise across rays and imprecise along them, it is the triangulation.

    Parameters
    ----------
    mean_m, covariance_m2
        ``(C, K, 3)`` m and ``(C, K, 3, 3)`` m2: C estimates of K points. NaN where not known.
    weight
        ``(C, K)``, exponent of each distribution. 0: not used.

    Returns
    -------
    mean_m, covariance_m2
        ``(K, 3)`` m and ``(K, 3, 3)`` m2. NaN where no estimate has a weight.
    """
    used = weight > 0
    covariance_m2 = np.where(used[..., np.newaxis, np.newaxis], covariance_m2, np.eye(3))
    information = np.linalg.inv(covariance_m2) * weight[..., np.newaxis, np.newaxis]
    mean_m = np.where(used[..., np.newaxis], mean_m, 0.0)
    none = ~used.any(axis=0)
    total = information.sum(axis=0)
    total[none] = np.eye(3)
    covariance = np.linalg.inv(total)
    mean = np.einsum('kij,ckjl,ckl->ki', covariance, information, mean_m)
    mean[none], covariance[none] = np.nan, np.nan
    return mean, covariance


def intersection(
    mean_m: Array, covariance_m2: Array, used: NDArray[np.bool_]
) -> tuple[Array, Array]:
    """Combine estimates whose errors may depend on each other, by covariance intersection.

    The result is never more certain than the errors allow (Julier and Uhlmann, 1997). The
    exponents are inversely proportional to the traces (Niehsen, 2002).

    Parameters
    ----------
    mean_m, covariance_m2
        As in `product`.
    used
        ``(C, K)``, which of them count.
    """
    trace_m2 = np.trace(covariance_m2, axis1=-2, axis2=-1)
    weight = np.where(used, 1 / np.where(used, trace_m2, 1.0), 0.0)
    total = weight.sum(axis=0)
    return product(mean_m, covariance_m2, weight / np.where(total > 0, total, 1.0))

"""Association: which views by different cameras are of the same person."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.fusion.views import Key, Views
from pose3d_ros.geometry.robust import nan_median

Array = NDArray[np.float64]

# Standard deviation of the distance between two rays to the same keypoint, m, the bound of a
# squared residual, and the weight of the mean residual of a person: keypoints are not independent.
# Rays to the same person are 0.02 m apart in the data of docs/accuracy.md (median; the root mean
# square of a person 0.12 m at most), to different people 0.12 m and more.
RAYS_SD_M, MAX_RESIDUAL, RAYS_WEIGHT = 0.06, 9.0, 3.0
# Added as one more keypoint, so that few common keypoints are no certainty.
PRIOR_RESIDUAL = 2.0
# Largest mean residual of the rays, and largest squared Mahalanobis distance of the roots.
MAX_MEAN_RESIDUAL, MAX_ROOT = 4.0, 12.0
# Views that were of the same person at the last time cost less by this.
TOGETHER = 3.0
# Standard deviation of a root in addition to its covariance, m.
ROOT_SD_M = 0.1
# Distance of people who have no known keypoint in common, m: too far.
UNKNOWN_M = 1e3


def costs(seen: Views, together: AbstractSet[frozenset[Key]] = frozenset()) -> Array:
    """Compute the cost of each pair of views being of the same person, ``(M, M)``.

    The distances of the rays to keypoints that both cameras detect, and the distance of the roots
    by the covariance of both.

    Parameters
    ----------
    seen
        M views.
    together
        Pairs of keys that were of the same person at the last time.

    Returns
    -------
    cost
        Infinite: not the same person, or of the same camera.
    """
    cost = np.full((len(seen.keys),) * 2, np.inf)
    first, second = np.nonzero(seen.camera[:, np.newaxis] < seen.camera)
    if not len(first):
        return cost
    rays = rays_residual(seen, first, second)
    roots = _root_residual(seen, first, second)
    known = [
        TOGETHER * (frozenset((seen.keys[i], seen.keys[j])) in together)
        for i, j in zip(first.tolist(), second.tolist(), strict=True)
    ]
    possible = (rays < MAX_MEAN_RESIDUAL) & (roots < MAX_ROOT)
    total = RAYS_WEIGHT * rays + roots - np.array(known)
    cost[first, second] = cost[second, first] = np.where(possible, total, np.inf)
    return cost


def rays_residual(seen: Views, first: NDArray[np.intp], second: NDArray[np.intp]) -> Array:
    """Return the mean squared residual of the rays of P pairs, ``(P,)``, each bounded."""
    apart_m = seen.origin_m[second] - seen.origin_m[first]
    normal = np.cross(seen.ray[first], seen.ray[second])
    length = np.linalg.norm(normal, axis=-1)
    gap_m = np.abs(np.einsum('pki,pi->pk', normal, apart_m)) / np.where(length > 0, length, np.nan)
    common = seen.detected[first] & seen.detected[second] & np.isfinite(gap_m)
    square = np.minimum((np.where(common, gap_m, 0.0) / RAYS_SD_M) ** 2, MAX_RESIDUAL)
    return np.asarray((square.sum(axis=1) + PRIOR_RESIDUAL) / (common.sum(axis=1) + 1))


def _root_residual(seen: Views, first: NDArray[np.intp], second: NDArray[np.intp]) -> Array:
    """Return the squared Mahalanobis distance of the people of P pairs, ``(P,)``.

    By the keypoints that are known of both.
    """
    apart_m = nan_median((seen.xyz_m[first] - seen.xyz_m[second]).swapaxes(1, 2))
    apart_m = np.nan_to_num(apart_m, nan=UNKNOWN_M)
    covariance = seen.root_covariance_m2[first] + seen.root_covariance_m2[second]
    covariance = covariance + ROOT_SD_M**2 * np.eye(3)
    solved = np.linalg.solve(covariance, apart_m[..., np.newaxis])[..., 0]
    return np.asarray(np.einsum('pi,pi->p', apart_m, solved))


def groups(seen: Views, cost: Array) -> list[NDArray[np.intp]]:
    """Put views together, the pair of lowest cost first.

    Two groups become one if they have no camera in common and every pair between them is
    possible.

    Returns
    -------
    list
        Rows of the views of each person, sorted.
    """
    of_view = {i: [i] for i in range(len(seen.keys))}
    rows, columns = np.nonzero(np.triu(np.isfinite(cost)))
    for at in np.argsort(cost[rows, columns], kind='stable').tolist():
        one, other = of_view[int(rows[at])], of_view[int(columns[at])]
        cameras = seen.camera[one + other]
        if one is other or len(np.unique(cameras)) < len(cameras):
            continue
        if not np.isfinite(cost[np.ix_(one, other)]).all():
            continue
        one.extend(other)
        of_view.update(dict.fromkeys(other, one))
    unique = {id(group): group for group in of_view.values()}
    return [np.sort(np.array(group)) for group in unique.values()]

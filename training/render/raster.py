"""Rasterise triangles and simple solids into depth, owner and surface position: a z-buffer.

Every pixel is one ray through its centre (pixel 0 is the centre of the first pixel), and the
nearest surface on it wins. Depth is along the optical axis, m, as depth cameras give it. A whole
image is a few tens of thousands of triangles of a few pixels each, for which a loop compiled by
numba is faster than OpenGL in software.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from pose3d_ros.camera import Intrinsics

NEAR_M = 0.15
NOTHING = -1
# Kinds of solids; a room is a box that is seen from inside, with materials for its floor, its
# ceiling, and its walls across x and across y.
BOX, CYLINDER, ELLIPSOID, ROOM = 0, 1, 2, 3
SOLID = np.dtype(
    [
        ('kind', np.int32), ('owner', np.int32), ('material', np.int32),
        ('centre', np.float32, 3), ('half', np.float32, 3), ('turn', np.float32, 2),
    ]
)  # fmt: skip


@dataclass(frozen=True)
class View:
    """A camera in a world whose z axis points up.

    Parameters
    ----------
    intrinsics
        Without distortion.
    rotation
        ``(3, 3)``, world to camera optical frame.
    position
        ``(3,)`` m, of the camera in the world.
    size_hw
        Of its images.
    """

    intrinsics: Intrinsics
    rotation: NDArray[np.float64]
    position: NDArray[np.float64]
    size_hw: tuple[int, int]

    @property
    def pinhole(self) -> tuple[float, float, float, float]:
        """Focal lengths and optical centre, px: fx, fy, cx, cy."""
        camera = self.intrinsics
        return float(camera.fx), float(camera.fy), float(camera.cx), float(camera.cy)

    def to_camera(self, xyz_m: NDArray[np.floating]) -> NDArray[np.float64]:
        """Transform ``(..., 3)`` m from world to camera optical frame."""
        return np.asarray((xyz_m - self.position) @ self.rotation.T, np.float64)


class Surfaces(NamedTuple):
    """The nearest surface of each pixel; a named tuple, which numba takes as it is.

    Parameters
    ----------
    depth
        ``(H, W)`` float32 m along the optical axis, inf where there is nothing.
    owner, material
        ``(H, W)`` int32, NOTHING where there is nothing; `material` of triangles is the face.
    place
        ``(H, W, 3)`` float32: m in the solid's own frame, or the weights of the face's corners.
    normal
        ``(H, W, 3)`` float32, outwards, world; of solids alone.
    """

    depth: NDArray[np.float32]
    owner: NDArray[np.int32]
    material: NDArray[np.int32]
    place: NDArray[np.float32]
    normal: NDArray[np.float32]

    @classmethod
    def empty(cls, size_hw: tuple[int, int]) -> Surfaces:
        """Return surfaces of an empty world."""
        return cls(
            np.full(size_hw, np.inf, np.float32),
            np.full(size_hw, NOTHING, np.int32),
            np.full(size_hw, NOTHING, np.int32),
            np.zeros((*size_hw, 3), np.float32),
            np.zeros((*size_hw, 3), np.float32),
        )


def draw_mesh(
    surfaces: Surfaces,
    view: View,
    vertices_m: NDArray[np.floating],
    faces: NDArray[np.integer],
    owner: int,
    two_sided: bool = False,
) -> None:
    """Draw triangles ``(F, 3)`` of ``(V, 3)`` m in the world into `surfaces`.

    Corners go counter-clockwise seen from outside; triangles that are seen from inside are left
    out unless `two_sided`. So are those that reach nearer than NEAR_M: people do not.
    """
    _triangles(surfaces, view.to_camera(vertices_m), faces, owner, two_sided, view.pinhole)


@numba.njit(cache=True, fastmath=True)
def _triangles(surfaces, xyz, faces, owner, two_sided, pinhole):
    depth, owners, materials, place, _ = surfaces
    fx, fy, cx, cy = pinhole
    h, w = depth.shape
    u = np.empty(len(xyz))
    v = np.empty(len(xyz))
    inverse = np.empty(len(xyz))
    for i in range(len(xyz)):
        inverse[i] = 1 / xyz[i, 2] if xyz[i, 2] > NEAR_M else 0.0
        u[i] = xyz[i, 0] * inverse[i] * fx + cx
        v[i] = xyz[i, 1] * inverse[i] * fy + cy
    for f in range(len(faces)):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        if inverse[a] == 0 or inverse[b] == 0 or inverse[c] == 0:
            continue
        # Counter-clockwise outside is clockwise, and positive, where y points down.
        area = (u[c] - u[a]) * (v[b] - v[a]) - (u[b] - u[a]) * (v[c] - v[a])
        if area == 0 or (area < 0 and not two_sided):
            continue
        left = max(0, int(np.ceil(min(u[a], u[b], u[c]))))
        right = min(w - 1, int(np.floor(max(u[a], u[b], u[c]))))
        top = max(0, int(np.ceil(min(v[a], v[b], v[c]))))
        bottom = min(h - 1, int(np.floor(max(v[a], v[b], v[c]))))
        for y in range(top, bottom + 1):
            for x in range(left, right + 1):
                wa = ((u[c] - x) * (v[b] - y) - (u[b] - x) * (v[c] - y)) / area
                wb = ((u[a] - x) * (v[c] - y) - (u[c] - x) * (v[a] - y)) / area
                wc = 1 - wa - wb
                if wa < 0 or wb < 0 or wc < 0:
                    continue
                # 1 / z is linear in the image.
                pa, pb, pc = wa * inverse[a], wb * inverse[b], wc * inverse[c]
                z = 1 / (pa + pb + pc)
                if z < depth[y, x]:
                    depth[y, x] = z
                    owners[y, x] = owner
                    materials[y, x] = f
                    place[y, x, 0] = pa * z
                    place[y, x, 1] = pb * z
                    place[y, x, 2] = pc * z


def draw_solids(surfaces: Surfaces, view: View, solids: NDArray[np.void]) -> None:
    """Draw SOLIDs into `surfaces`; one that contains the camera is drawn from inside."""
    for solid in solids:
        bounds = _bounds(view, solid)
        _solid(surfaces, solid, view.rotation, view.position, view.pinhole, bounds)


def _bounds(view: View, solid: np.void) -> tuple[int, int, int, int]:
    """Return the rows and columns of the pixels that may see a solid."""
    h, w = view.size_hw
    signs = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
    corner = signs * solid['half']
    c, s = solid['turn']
    world = np.stack([c * corner[:, 0] - s * corner[:, 1], s * corner[:, 0] + c * corner[:, 1]])
    world = np.concatenate([world.T, corner[:, 2:]], axis=1) + solid['centre']
    xyz = view.to_camera(world)
    if (xyz[:, 2] < NEAR_M).all():
        return 0, 0, 0, 0
    if (xyz[:, 2] < NEAR_M).any():
        return 0, h, 0, w
    low, high = (f(view.intrinsics.project(xyz), axis=0) for f in (np.min, np.max))
    left, top = (max(0, int(np.ceil(value))) for value in low)
    right, bottom = (min(size, int(high[i]) + 1) for i, size in ((0, w), (1, h)))
    return top, max(bottom, top), left, max(right, left)


@numba.njit(cache=True, fastmath=True)
def _solid(surfaces, solid, rotation, position, pinhole, bounds):
    depth, owners, materials, place, normals = surfaces
    fx, fy, cx, cy = pinhole
    top, bottom, left, right = bounds
    cos, sin = solid.turn[0], solid.turn[1]
    kind = solid.kind
    half = hx, hy, hz = solid.half[0], solid.half[1], solid.half[2]
    ox, oy = position[0] - solid.centre[0], position[1] - solid.centre[1]
    # The camera in the solid's frame.
    px, py, pz = cos * ox + sin * oy, -sin * ox + cos * oy, position[2] - solid.centre[2]
    origin = px, py, pz
    for y in range(top, bottom):
        for x in range(left, right):
            rx, ry = (x - cx) / fx, (y - cy) / fy
            wx = rotation[0, 0] * rx + rotation[1, 0] * ry + rotation[2, 0]
            wy = rotation[0, 1] * rx + rotation[1, 1] * ry + rotation[2, 1]
            dz = rotation[0, 2] * rx + rotation[1, 2] * ry + rotation[2, 2]
            dx, dy = cos * wx + sin * wy, -sin * wx + cos * wy
            direction = dx, dy, dz
            if kind == 0 or kind == 3:
                t, axis, sign = _ray_box(origin, direction, half)
            elif kind == 1:
                t, axis, sign = _ray_cylinder(origin, direction, half)
            else:
                t, axis, sign = _ray_ellipsoid(origin, direction, half)
            if t < NEAR_M or t >= depth[y, x]:
                continue
            depth[y, x] = t
            owners[y, x] = solid.owner
            side = 0
            if kind == 3:  # floor, ceiling, walls
                side = axis + 2 if axis < 2 else (0 if sign > 0 else 1)
            materials[y, x] = solid.material + side
            qx, qy, qz = px + t * dx, py + t * dy, pz + t * dz
            place[y, x, 0], place[y, x, 1], place[y, x, 2] = qx, qy, qz
            if axis == 3:
                nx, ny, nz = qx / (hx * hx), qy / (hy * hy), qz / (hz * hz)
                if kind == 1:
                    nz = 0.0
                length = sign * np.sqrt(nx * nx + ny * ny + nz * nz)
                nx, ny, nz = nx / length, ny / length, nz / length
            else:
                nx = sign if axis == 0 else 0.0
                ny = sign if axis == 1 else 0.0
                nz = sign if axis == 2 else 0.0
            normals[y, x, 0] = cos * nx - sin * ny
            normals[y, x, 1] = sin * nx + cos * ny
            normals[y, x, 2] = nz


@numba.njit(cache=True, fastmath=True, inline='always')
def _ray_box(origin, direction, halves):
    """Return the distance, the axis of the side, and the sign of its normal towards the camera."""
    enter, leave = -1e9, 1e9
    axis_in, axis_out = 0, 0
    for axis in range(3):
        p, d, half = origin[axis], direction[axis], halves[axis]
        if abs(d) < 1e-9:
            if abs(p) > half:
                return -1.0, 0, 1.0
            continue
        near, far = (-half - p) / d, (half - p) / d
        if near > far:
            near, far = far, near
        if near > enter:
            enter, axis_in = near, axis
        if far < leave:
            leave, axis_out = far, axis
    if enter > leave or leave < 0:
        return -1.0, 0, 1.0
    axis = axis_in if enter > 0 else axis_out
    return (enter if enter > 0 else leave), axis, (-1.0 if direction[axis] > 0 else 1.0)


@numba.njit(cache=True, fastmath=True, inline='always')
def _ray_cylinder(origin, direction, half):
    """Intersect an upright cylinder with an elliptical base from outside; axis 3 is its side."""
    (px, py, pz), (dx, dy, dz), (hx, hy, hz) = origin, direction, half
    a = (dx / hx) ** 2 + (dy / hy) ** 2
    b = px * dx / (hx * hx) + py * dy / (hy * hy)
    c = (px / hx) ** 2 + (py / hy) ** 2 - 1
    root = b * b - a * c
    if root >= 0 and a > 1e-12:
        t = (-b - np.sqrt(root)) / a
        if t > 0 and abs(pz + t * dz) <= hz:
            return t, 3, 1.0
    if abs(dz) > 1e-9:
        t = ((hz if pz > hz else -hz) - pz) / dz
        if t > 0 and ((px + t * dx) / hx) ** 2 + ((py + t * dy) / hy) ** 2 <= 1:
            return t, 2, (1.0 if pz > hz else -1.0)
    return -1.0, 0, 1.0


@numba.njit(cache=True, fastmath=True, inline='always')
def _ray_ellipsoid(origin, direction, half):
    (px, py, pz), (dx, dy, dz), (hx, hy, hz) = origin, direction, half
    a = (dx / hx) ** 2 + (dy / hy) ** 2 + (dz / hz) ** 2
    b = px * dx / (hx * hx) + py * dy / (hy * hy) + pz * dz / (hz * hz)
    c = (px / hx) ** 2 + (py / hy) ** 2 + (pz / hz) ** 2 - 1
    root = b * b - a * c
    if root < 0:
        return -1.0, 3, 1.0
    return (-b - np.sqrt(root)) / a, 3, 1.0

"""The rasteriser against known geometry."""

import numpy as np
import pytest

pytest.importorskip('numba', reason='needs numba (training/requirements.txt)')

from pose3d_ros.camera import Intrinsics
from training.render import raster
from training.render.raster import SOLID, Surfaces, View, draw_mesh, draw_solids

H, W = 60, 80
CAMERA = Intrinsics(50, 50, (W - 1) / 2, (H - 1) / 2)


def view(rotation=None, position=(0, 0, 0)):
    """Return a camera that looks along z of the world, unless rotated."""
    rotation = np.eye(3) if rotation is None else rotation
    return View(CAMERA, rotation, np.array(position, float), (H, W))


def rays():
    y, x = np.mgrid[:H, :W].astype(float)
    return np.stack([(x - CAMERA.cx) / 50, (y - CAMERA.cy) / 50, np.ones((H, W))], axis=-1)


def solid(kind, centre, half, turn_rad=0.0, material=0):
    one = np.zeros(1, SOLID)
    one['kind'], one['owner'], one['material'] = kind, 7, material
    one['centre'], one['half'] = centre, half
    one['turn'] = np.cos(turn_rad), np.sin(turn_rad)
    return one


def test_depth_of_an_ellipsoid_is_that_of_the_sphere():
    surfaces, centre, radius = Surfaces.empty((H, W)), np.array([0.3, -0.2, 4.0]), 0.9
    draw_solids(surfaces, view(), solid(raster.ELLIPSOID, centre, [radius] * 3))
    d = rays()
    a, b = (d * d).sum(-1), (d @ centre)
    root = b * b - a * (centre @ centre - radius**2)
    expected = np.where(root >= 0, (b - np.sqrt(np.maximum(root, 0))) / a, np.inf)
    np.testing.assert_allclose(surfaces.depth, expected, rtol=1e-5)
    hit = surfaces.owner == 7
    normal = (d * expected[..., None] - centre)[hit] / radius
    np.testing.assert_allclose(surfaces.normal[hit], normal, atol=1e-4)


def test_a_rotated_box_covers_its_projected_corners():
    surfaces, turn = Surfaces.empty((H, W)), 0.5
    # The world's z is up for solids; here it points away, so they turn about the optical axis.
    draw_solids(surfaces, view(), solid(raster.BOX, [0.2, 0.1, 5], [1.0, 0.5, 0.3], turn))
    c, s = np.cos(turn), np.sin(turn)
    d = rays()[..., :2] * 4.7 - (0.2, 0.1)
    own = np.stack([c * d[..., 0] + s * d[..., 1], -s * d[..., 0] + c * d[..., 1]], axis=-1)
    face = (np.abs(own) <= (1.0, 0.5)).all(-1)
    np.testing.assert_allclose(surfaces.depth[face], 4.7, rtol=1e-5)
    np.testing.assert_allclose(surfaces.normal[face], np.tile([0, 0, -1.0], (face.sum(), 1)))
    assert (surfaces.depth[~face] > 4.7).all()


def test_a_room_has_a_floor_a_ceiling_and_walls():
    # Looks along y, z up.
    surfaces = Surfaces.empty((H, W))
    rotation = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]], float)
    draw_solids(surfaces, view(rotation, (0, 0, 1)), solid(raster.ROOM, [0, 0, 1.5], [4, 5, 1.5]))
    d = rays()
    floor = 1 / np.where(d[..., 1] > 0, d[..., 1], np.nan)
    is_floor = surfaces.material == 0
    np.testing.assert_allclose(surfaces.depth[is_floor], floor[is_floor], rtol=1e-5)
    np.testing.assert_allclose(surfaces.depth[surfaces.material == 3], 5, rtol=1e-5)
    assert set(np.unique(surfaces.material)) == {0, 1, 3} | ({2} if W / 100 > 0.8 else set())
    assert surfaces.material[-1, W // 2] == 0
    assert surfaces.material[0, W // 2] == 1
    np.testing.assert_array_equal(surfaces.normal[-1, W // 2], [0, 0, 1])


def test_a_cylinder_has_a_side_and_a_top():
    surfaces = Surfaces.empty((H, W))
    rotation = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]], float)
    draw_solids(surfaces, view(rotation), solid(raster.CYLINDER, [0, 4, -1], [0.5, 0.5, 0.4]))
    column = surfaces.depth[:, W // 2]
    x = rays()[0, W // 2, 0]
    # Of a vertical plane through the axis: x = 0.01 z is nearly the middle.
    side = (4 - np.sqrt(16 - (1 + x * x) * (16 - 0.25))) / (1 + x * x)
    rows = np.flatnonzero(np.isfinite(column))
    assert column[rows].min() == pytest.approx(side, rel=1e-4)
    top = rows[0]
    height = -rays()[top, W // 2, 1] * column[top]
    assert height == pytest.approx(-0.6, abs=1e-4)


def test_pixels_and_depth_of_a_triangle():
    corners = np.array([[-1.0, -0.8, 3.0], [1.4, -0.5, 6.0], [0.2, 1.0, 4.0]])
    surfaces = Surfaces.empty((H, W))
    draw_mesh(surfaces, view(), corners, np.array([[0, 1, 2]]), 3, two_sided=True)
    normal = np.cross(corners[1] - corners[0], corners[2] - corners[0])
    depth = (normal @ corners[0]) / (rays() @ normal)
    # Weights of the corners: the ray's point as their sum.
    weights = np.linalg.solve(corners.T, (rays() * depth[..., None]).reshape(-1, 3).T).T
    inside = (weights.reshape(H, W, 3) >= 0).all(-1)
    np.testing.assert_array_equal(surfaces.owner == 3, inside)
    np.testing.assert_allclose(surfaces.depth[inside], depth[inside], rtol=1e-5)
    np.testing.assert_allclose(surfaces.place[inside], weights.reshape(H, W, 3)[inside], atol=1e-5)


def test_back_faces_are_not_drawn():
    corners = np.array([[-1.0, -1, 4], [1, -1, 4], [0, 1, 4]])
    for faces, seen in (([[0, 2, 1]], False), ([[0, 1, 2]], True)):
        surfaces = Surfaces.empty((H, W))
        draw_mesh(surfaces, view(), corners, np.array(faces), 0)
        # Outwards normals point to the camera.
        a, b, c = corners[faces[0]]
        assert (np.cross(b - a, c - a)[2] < 0) == (surfaces.owner == 0).any() or not seen


def test_nearer_triangles_cover_farther_ones_in_any_order():
    near = np.array([[-1.0, -1, 3], [1, -1, 3], [0, 1, 3]])
    far = near * 1.5
    for order in ((0, 1), (1, 0)):
        surfaces = Surfaces.empty((H, W))
        for i in order:
            draw_mesh(surfaces, view(), (near, far)[i], np.array([[0, 1, 2]]), i, two_sided=True)
        assert (surfaces.owner != 1).all()
        assert (surfaces.owner == 0).any()


def test_triangles_behind_the_camera_are_not_drawn():
    surfaces = Surfaces.empty((H, W))
    corners = np.array([[-1.0, 0, -1], [1, 0, 3], [0, 1, 3]])
    draw_mesh(surfaces, view(), corners, np.array([[0, 1, 2]]), 0, two_sided=True)
    draw_solids(surfaces, view(), solid(raster.ELLIPSOID, [0, 0, -3], [1, 1, 1]))
    assert (surfaces.owner == raster.NOTHING).all()

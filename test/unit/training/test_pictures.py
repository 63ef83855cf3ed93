"""Rendered pictures of synthetic people agree with their truth."""

import numpy as np
import pytest

pytest.importorskip('numba', reason='needs numba (training/requirements.txt)')
pytest.importorskip('anny', reason='needs the body model (training/requirements.txt)')

from pose3d_ros.demo.clip import COVERED, VISIBLE
from training.bodies import BodyModel
from training.render import clips, family
from training.render.photograph import photograph
from training.render.regions import ARM, FOOT, HEAD, LEG, TORSO, Regions
from training.render.room import FIRST_SOLID
from training.render.scene import draw


@pytest.fixture(scope='module')
def model():
    return BodyModel()


@pytest.fixture(scope='module')
def regions(model):
    return Regions.of(model)


@pytest.fixture(scope='module', params=[family.scenes, clips.scenes], ids=['stills', 'clips'])
def drawn(request, model, regions):
    scenes = request.param(3, model, regions)
    return [(scene, draw(scene, regions)) for scene, _ in zip(scenes, range(4), strict=False)]


def test_regions_have_plausible_positions_on_the_body(regions):
    x, _, z = regions.place[:, :3].T
    assert set(np.unique(regions.part)) >= {ARM, FOOT, HEAD, LEG, TORSO}
    means = [z[regions.part == part].mean() for part in (HEAD, TORSO, LEG, FOOT)]
    assert means == sorted(means, reverse=True)
    assert np.abs(x[regions.part == ARM]).min() > np.abs(x[regions.part == TORSO]).mean()
    # Down the arm 0 to 2, elbow at 1.
    assert regions.place[regions.part == ARM, 3].min() > -0.6
    assert 1.8 < regions.place[regions.part == ARM, 3].max() < 2.4


def test_every_pixel_is_drawn_and_finite(drawn):
    for _, frame in drawn:
        assert np.isfinite(frame.depth_m).all()
        assert np.isfinite(frame.light).all()
        assert (frame.light >= 0).all()
        assert (frame.owner >= 0).all()


def test_pixels_of_people_surround_their_keypoints(drawn):
    people = 0
    for scene, frame in drawn:
        for i in range(len(scene.people)):
            visible = frame.seen[i] == VISIBLE
            x, y = np.round(frame.xy_px[i, visible]).astype(int).T
            mine = frame.owner == i
            # Right there or next to it.
            near = mine | np.roll(mine, 1, 0) | np.roll(mine, -1, 0)
            near = near | np.roll(near, 1, 1) | np.roll(near, -1, 1)
            if visible.sum() >= 8:
                people += 1
                assert near[y, x].mean() > 0.8
            covered = frame.seen[i] == COVERED
            x, y = np.round(frame.xy_px[i, covered]).astype(int).T
            assert (frame.owner[y, x] != i).all()
            assert (frame.depth_m[y, x] < frame.xyz_m[i, covered, 2] + 0.03).all()
    assert people > 0


def test_people_stand_on_the_floor_and_in_the_room(drawn):
    for scene, _ in drawn:
        for person in scene.people:
            assert person.vertices_m[:, 2].min() == pytest.approx(0, abs=1e-3)
            inside = np.abs(person.vertices_m[:, :2]).max(0) < scene.room.size_m[:2] + 0.5
            assert inside.all()


def test_rooms_are_behind_all_people(drawn):
    for scene, frame in drawn:
        solids = frame.owner >= FIRST_SOLID
        assert frame.depth_m.max() < np.linalg.norm(2 * scene.room.size_m)
        assert solids.mean() > 0.2


def test_the_same_seed_gives_the_same_picture(model, regions):
    pictures = []
    for _ in range(2):
        scene = next(family.scenes(11, model, regions))
        random = np.random.default_rng(0)
        pictures.append(photograph(draw(scene, regions).light, random))
    np.testing.assert_array_equal(*pictures)
    assert pictures[0].std() > 10

from pose3d_ros.detection.openpose.channels import (
    HEATMAP_CHANNELS,
    LOCATION_MAP_CHANNELS,
    PAF_CHANNELS,
)
from pose3d_ros.skeleton import PANOPTIC19


def test_every_channel_has_a_keypoint_of_its_own():
    assert sorted(LOCATION_MAP_CHANNELS) == sorted(PANOPTIC19.keypoints)
    assert sorted((*HEATMAP_CHANNELS, 'pelvis')) == sorted(PANOPTIC19.keypoints)
    assert {end for limb in PAF_CHANNELS for end in limb} == set(HEATMAP_CHANNELS)


def test_limbs_join_everything_into_one_body():
    reached = {PANOPTIC19.root}
    for _ in PANOPTIC19.limbs:
        reached |= {b for a, b in PANOPTIC19.limbs if a in reached}
    assert reached == set(PANOPTIC19.keypoints)


def test_left_and_right_mirror_each_other():
    swap = {'left': 'right', 'right': 'left'}

    def mirror(name):
        side, _, part = name.partition('_')
        return f'{swap[side]}_{part}' if part else name

    assert {(mirror(a), mirror(b)) for a, b in PANOPTIC19.limbs} == set(PANOPTIC19.limbs)
    assert {(mirror(a), mirror(b)) for a, b in PAF_CHANNELS} == set(PAF_CHANNELS)

"""Channels of the outputs of networks with heatmaps and part affinity fields."""

# Keypoint of each channel of the output `heatmaps`. One more channel, background, follows.
HEATMAP_CHANNELS = (
    'nose', 'neck',
    'right_shoulder', 'right_elbow', 'right_wrist', 'left_shoulder', 'left_elbow', 'left_wrist',
    'right_hip', 'right_knee', 'right_ankle', 'left_hip', 'left_knee', 'left_ankle',
    'right_eye', 'left_eye', 'right_ear', 'left_ear',
)  # fmt: skip

# Keypoint of each triple of channels (x, y, z) of the output `features`. The face is in the order
# of CMU Panoptic, unlike in the heatmaps; implementations that copy by index exchange eyes and
# ears.
LOCATION_MAP_CHANNELS = (
    'neck', 'nose', 'pelvis',
    'left_shoulder', 'left_elbow', 'left_wrist', 'left_hip', 'left_knee', 'left_ankle',
    'right_shoulder', 'right_elbow', 'right_wrist', 'right_hip', 'right_knee', 'right_ankle',
    'left_eye', 'left_ear', 'right_eye', 'right_ear',
)  # fmt: skip

# Limb of each pair of channels (x, y) of the output `pafs`. The field points from the first
# keypoint to the second.
PAF_CHANNELS = (
    ('neck', 'right_hip'), ('right_hip', 'right_knee'), ('right_knee', 'right_ankle'),
    ('neck', 'left_hip'), ('left_hip', 'left_knee'), ('left_knee', 'left_ankle'),
    ('neck', 'right_shoulder'), ('right_shoulder', 'right_elbow'), ('right_elbow', 'right_wrist'),
    ('right_shoulder', 'right_ear'),
    ('neck', 'left_shoulder'), ('left_shoulder', 'left_elbow'), ('left_elbow', 'left_wrist'),
    ('left_shoulder', 'left_ear'),
    ('neck', 'nose'), ('nose', 'right_eye'), ('nose', 'left_eye'),
    ('right_eye', 'right_ear'), ('left_eye', 'left_ear'),
)  # fmt: skip

"""What differs between ROS distributions: here and nowhere else."""

import os

# What names a profile to Fast DDS 3 (Kilted and later), and to Fast DDS 2. One is set, not both:
# rmw_fastrtps warns of the second where it is no longer the one to use.
FASTDDS, FASTRTPS = 'FASTDDS_DEFAULT_PROFILES_FILE', 'FASTRTPS_DEFAULT_PROFILES_FILE'
FASTRTPS_DISTROS = ('humble', 'iron', 'jazzy')


def fastdds_variable() -> str:
    """Name the environment variable that this distribution's Fast DDS reads a profile from."""
    return FASTRTPS if os.environ.get('ROS_DISTRO') in FASTRTPS_DISTROS else FASTDDS

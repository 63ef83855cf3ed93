"""Differences between ROS distributions, all in this file."""

import os

# Environment variables with the profile file of Fast DDS 3 (Kilted and later) and of Fast DDS 2.
# Only one is set: rmw_fastrtps warns about the second where it is deprecated.
FASTDDS, FASTRTPS = 'FASTDDS_DEFAULT_PROFILES_FILE', 'FASTRTPS_DEFAULT_PROFILES_FILE'
FASTRTPS_DISTROS = ('humble', 'iron', 'jazzy')


def fastdds_variable() -> str:
    """Return the environment variable from which this distribution's Fast DDS reads a profile."""
    return FASTRTPS if os.environ.get('ROS_DISTRO') in FASTRTPS_DISTROS else FASTDDS

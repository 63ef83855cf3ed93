"""The network that observes in each person how the camera stands."""

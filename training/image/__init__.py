"""The image network: from rendered frames to a network that the package runs."""

"""From published files to OpenVINO graphs: needed to install a network, never to run it."""

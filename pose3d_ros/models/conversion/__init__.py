"""Conversion of published files to OpenVINO graphs: used to install a network, never to run it."""

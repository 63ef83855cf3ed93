"""A page for the browser, before anything is in it (viser)."""

from __future__ import annotations

import numpy as np
import viser

# On this machine only: whoever reaches the page sees the camera and can change parameters.
HOST = '127.0.0.1'
# Distance between two cameras whose frames have nothing to do with each other, m.
CAMERAS_APART_M = 6.0
# Vertical field of view of the page, rad, and its eye from the middle of the scene, m.
VIEW_RAD, EYE_M = float(np.radians(42)), np.array([-3.3, -2.8, -7.1])


def open_page(port: int = 8080) -> viser.ViserServer:
    """Serve an empty page on this machine; the port is the next free one."""
    server = viser.ViserServer(host=HOST, port=port, label='pose3d', verbose=False)
    server.gui.configure_theme(control_width='large', show_logo=False, show_share_button=False)
    server.gui.main_panel.dock_right()
    server.scene.set_up_direction((0.0, -1.0, 0.0))
    server.initial_camera.fov = VIEW_RAD
    aim(server, 1)
    return server


def aim(server: viser.ViserServer, cameras: int) -> None:
    """Let pages that are opened from now on show all cameras, from behind and above them."""
    beside_m = (cameras - 1) * CAMERAS_APART_M / 2
    middle_m = np.array([0.1 + beside_m, 0.3, 3.1])
    server.initial_camera.look_at = middle_m
    server.initial_camera.position = middle_m + (1 + 0.3 * beside_m) * EYE_M

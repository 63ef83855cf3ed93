"""Labels above people in a page of a browser, which do not cover each other (viser)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import viser
from numpy.typing import NDArray

from pose3d_ros.geometry.rigid import rotation_matrix
from pose3d_ros.visualisation.text import rises

# Of the font, as a share of viser's own size, and the size of a label in it, px: estimated, since
# only the browser knows it.
FONT_SCALE = 1.2
CHARACTER_PX, MARGIN_PX, LINE_PX = 7.5, 6.0, 19.0


@dataclass(frozen=True)
class View:
    """A pinhole camera that looks at the scene.

    Parameters
    ----------
    position_m
        ``(3,)`` m in the scene.
    axes
        ``(3, 3)``, whose columns are its x (right), y (down) and z (forward) in the scene.
    focal_px
        Focal length, px.
    """

    position_m: NDArray[np.float64]
    axes: NDArray[np.float64]
    focal_px: float


class Labels:
    """The labels of one camera's people.

    They are children of the root of the scene, at positions in it. The page places a label by the
    last known transform of its parent, and for one image a new parent has none: below a new node,
    a label is first drawn somewhere else in the scene.

    Parameters
    ----------
    server
        The page.
    name
        Of the camera.
    """

    def __init__(self, server: viser.ViserServer, name: str) -> None:
        # No topic has a hyphen: /a/b and /a_b differ.
        self.server, self.name = server, name.replace('/', '-')
        self.handles: dict[int, Any] = {}

    def show(self, texts: dict[int, str], tops_m: dict[int, NDArray[np.float64]]) -> None:
        """Show labels above points ``(3,)`` m in the scene, by id, and no others."""
        for gone in self.handles.keys() - texts.keys():
            self.handles.pop(gone).remove()
        if not texts:
            return
        points_m = np.array([tops_m[track_id] for track_id in texts])
        view = view_of_a_browser(self.server)
        if view is not None:
            points_m = apart(points_m, list(texts.values()), view)
        for (track_id, text), point_m in zip(texts.items(), points_m.tolist(), strict=True):
            label = self.handles.get(track_id)
            if label is None:
                label = self.server.scene.add_label(
                    f'/{self.name}_label_{track_id}',
                    text,
                    position=tuple(point_m),
                    anchor='bottom-center',
                    font_screen_scale=FONT_SCALE,
                )
                self.handles[track_id] = label
            label.text, label.position = text, tuple(point_m)


def view_of_a_browser(server: viser.ViserServer) -> View | None:
    """Return the view of the browser that connected last; None: none is connected."""
    clients = server.get_clients()
    if not clients:
        return None
    camera = clients[max(clients)].camera
    w, x, y, z = camera.wxyz
    focal_px = camera.image_height / 2 / np.tan(camera.fov / 2)
    return View(camera.position, rotation_matrix(np.array([x, y, z, w])), float(focal_px))


def apart(points_m: NDArray[np.float64], texts: list[str], view: View) -> NDArray[np.float64]:
    """Raise points ``(N, 3)`` m until their labels do not cover each other in a view.

    A label is above its point. The lowest keep their places: they belong to the people who are
    nearest. Points behind the view stay.
    """
    seen = (points_m - view.position_m) @ view.axes
    scale = np.where(seen[:, 2] > 0, view.focal_px / np.maximum(seen[:, 2], 1e-3), np.nan)
    x, y = (seen[:, :2] * scale[:, np.newaxis]).T
    width = np.array([len(text) for text in texts]) * CHARACTER_PX + MARGIN_PX
    rise_m = rises(np.stack([x - width / 2, y - LINE_PX, x + width / 2, y], axis=1)) / scale
    up = -view.axes[:, 1]
    return np.asarray(points_m + np.nan_to_num(rise_m)[:, np.newaxis] * up, np.float64)

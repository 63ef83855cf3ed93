"""Names of topics that belong together."""

from __future__ import annotations

import posixpath


def topic_beside(topic: str, name: str) -> str:
    """Return the topic `name` in the namespace of another topic, as image_transport does."""
    return posixpath.join(posixpath.dirname(topic), name)

"""States of a node's parts as diagnostic_msgs/DiagnosticStatus."""

from __future__ import annotations

from collections.abc import Mapping

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR


def status_msg(
    name: str, level: bytes, text: str, values: Mapping[str, object], hardware: str = ''
) -> DiagnosticStatus:
    """Return a status.

    Parameters
    ----------
    name
        Of the node, and the part of it.
    level
        OK, WARN or ERROR.
    text
        What is wrong, or what it does.
    values
        Shown by their names.
    hardware
        Device, topic or source that the status is about.
    """
    pairs = [KeyValue(key=key, value=str(value)) for key, value in values.items()]
    return DiagnosticStatus(
        level=level, name=name, message=text, hardware_id=hardware, values=pairs
    )

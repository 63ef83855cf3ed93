"""Receives the diagnostics of a pose node in this process."""

from diagnostic_msgs.msg import DiagnosticArray


class Monitor:
    """Receives the diagnostics of one node."""

    def __init__(self, robot, topic='/diagnostics'):
        self.robot, self.arrays = robot, []
        self.node = robot.pose_node.get_fully_qualified_name()[1:]
        robot.node.create_subscription(DiagnosticArray, topic, self.on_diagnostics, 10)

    def on_diagnostics(self, array):
        if array.status[0].name.startswith(self.node):
            self.arrays.append(array)

    def next(self):
        """Return the statuses of the next message by their names without that of the node."""
        self.robot.spin_until(lambda: self.arrays)
        number = len(self.arrays)
        self.robot.spin_until(lambda: len(self.arrays) > number)
        return {s.name.removeprefix(f'{self.node}: '): s for s in self.arrays[-1].status}

    def until(self, level, text, name='camera'):
        found = []
        self.robot.spin_until(
            lambda: (
                found.append(self.next()[name])
                or (found[-1].level == level and text in found[-1].message)
            )
        )
        return found[-1]


def values(status):
    return {pair.key: pair.value for pair in status.values}

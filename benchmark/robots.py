"""What robots rely on: velocity, heading, ids that come back, and what each output costs.

    python -m benchmark.robots [--data FOLDER] [--rounds N]

FOLDER holds models/human-pose-estimation-0001-int8/ and video/vtest.avi with vtest_gt_mot15.txt;
without it, only what comes with the sources is measured. docs/robots.md has the tables.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmark import robots_cost, robots_ids, robots_motion


def main(argv: list[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--data', type=Path, help='(default: none)')
    parser.add_argument('--rounds', type=int, default=200, help='of the cost (default: 200)')
    args = parser.parse_args(argv)
    print('## Velocity and heading\n')
    robots_motion.print_table()
    print('\n## People who come back\n')
    robots_ids.print_table(args.data)
    print('\n## Cost of each output, five people\n')
    robots_cost.print_table(args.rounds)


if __name__ == '__main__':
    main()

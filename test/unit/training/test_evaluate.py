"""The command `training.evaluate` on frames with known truth."""

import numpy as np

from pose3d_ros.demo.clip import VISIBLE
from synthetic.scene import CAMERA, people_m
from training.render.dataset import Example, write_shard

TRUE_M = people_m((-0.5, 0.1, 3.0), (0.6, 0, 3.5))
TRUE_PX = CAMERA.project(TRUE_M)
SEEN = np.full((2, 19), VISIBLE, np.uint8)


def test_the_command_reads_shards_of_frames(two_people_xml, tmp_path, capsys, monkeypatch):
    from training import evaluate

    bgr = np.full((256, 448, 3), 200, np.uint8)
    one = Example(bgr, TRUE_PX.astype(np.float32), TRUE_M.astype(np.float32), SEEN, CAMERA)
    write_shard(tmp_path / '000001.npz', iter([one, one]))
    arguments = ['evaluate', str(two_people_xml), '--frames', str(tmp_path)]
    monkeypatch.setattr('sys.argv', arguments)
    evaluate.main()
    assert f'| {tmp_path.name} | 2 | 4/4 | 0 | 1.000 | 1.000 |' in capsys.readouterr().out

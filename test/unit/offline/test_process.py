"""Recordings made here, through a network that sees two people in every image but a black one."""

import argparse
import csv
import errno
import fcntl
import json
import os
import threading

import cv2
import numpy as np
import pytest
from support.people import scene
from support.videos import overwrite, write_video

from pose3d_ros.camera import CameraPose, Intrinsics
from pose3d_ros.images import CameraImage, Observation
from pose3d_ros.offline import command, worker
from pose3d_ros.offline.journal import Journal
from pose3d_ros.offline.process import Progress
from pose3d_ros.offline.recording import Processed, Taken, named, shard
from pose3d_ros.offline.trc import y_up
from pose3d_ros.offline.writers import CSV_COLUMNS, JsonlWriter, record, rows
from pose3d_ros.people import TrackedPeople
from pose3d_ros.skeleton import PANOPTIC19

COUNT = 24


@pytest.fixture(scope='module')
def video(tmp_path_factory):
    """Sixty grey images at 30 Hz."""
    return write_video(tmp_path_factory.mktemp('video') / 'walk.mp4')


@pytest.fixture
def folder(tmp_path):
    """Images 0 to 23; 8 to 11 are black: there are no people in them."""
    images = tmp_path / 'images'
    images.mkdir()
    for i in range(COUNT):
        grey = 0 if 8 <= i < 12 else 100 + i
        cv2.imwrite(str(images / f'{i}.png'), np.full((256, 448, 3), grey, np.uint8))
    return images


@pytest.fixture
def run(tmp_path, two_people_xml):
    """Return a function that runs `pose3d process` into a folder, and gives its exit status."""

    def run_command(*arguments, out='out', version='1', model=None):
        parser = argparse.ArgumentParser()
        command.add_arguments(parser)
        line = [*map(str, arguments), '--out', str(tmp_path / out), '--device', 'CPU']
        line += ['--model', str(model or two_people_xml), '--precision', 'f32']
        none = command.BagFormat(lambda *_: [], None)
        return command.run(parser.parse_args(line), none, version)

    return run_command


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_every_image_has_a_line_also_without_people(run, folder, tmp_path):
    assert run(folder) == 0
    images = lines(tmp_path / 'out/images/poses.jsonl')
    assert [one['image'] for one in images] == list(range(COUNT))
    np.testing.assert_allclose([one['stamp_s'] for one in images], np.arange(COUNT) / 30)
    numbers = [len(one['people']) for one in images]
    assert numbers == [2] * 8 + [0] * 4 + [2] * 12
    person = images[0]['people'][0]
    assert len(person['xyz_m']) == len(person['scores']) == len(PANOPTIC19)
    left, right, pelvis = (
        person['xy_px'][PANOPTIC19.index(name)] for name in ('left_hip', 'right_hip', 'pelvis')
    )
    np.testing.assert_allclose(pelvis, np.mean([left, right], axis=0), atol=0.01)


def test_what_is_unknown_is_null_in_jsonl_and_empty_in_csv():
    hidden = np.ones((1, len(PANOPTIC19)), bool)
    people = TrackedPeople(
        scene([(0, 0, 3.0)], hidden), np.ones(1, int), np.ones(1, int), np.ones(1)
    )
    image = CameraImage(np.zeros((48, 64, 3), np.uint8), Intrinsics.guess(64, 48))
    processed = Processed(0, Taken(Observation(image, 0.0)), people)
    person = record(processed)['people'][0]
    assert person['xy_px'][0] == [None, None]
    assert person['position_stddev_m'] is None
    assert json.loads(json.dumps(person, allow_nan=False)) == person
    assert next(iter(rows(processed)))[9:12] == ('', '', '')


def test_csv_has_the_numbers_of_jsonl_under_names_with_units(run, folder, tmp_path):
    assert run(folder, '--write', 'jsonl,csv') == 0
    out = tmp_path / 'out/images'
    assert {path.name for path in out.iterdir()} == {'poses.jsonl', 'poses.csv', 'process.json'}
    with (out / 'poses.csv').open() as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == CSV_COLUMNS
    first = lines(out / 'poses.jsonl')[0]['people'][0]
    for k, row in enumerate(rows[: len(PANOPTIC19)]):
        assert row['keypoint'] == PANOPTIC19.keypoints[k]
        assert [float(row[axis]) for axis in ('x_m', 'y_m', 'z_m')] == first['xyz_m'][k]
        assert row['source'] == first['source'][k]
    assert len(rows) == 20 * 2 * len(PANOPTIC19)


def read_trc(path):
    """Read a TRC file as its description has it: header fields, marker names, table."""
    text = [line.split('\t') for line in path.read_text().splitlines()]
    header = dict(zip(text[1], text[2], strict=True))
    names = [name for name in text[3][2:] if name]
    body = [[float(cell) for cell in row] for row in text[6:]]
    return text, header, names, np.array(body)


def test_trc_has_metres_y_up_and_a_row_for_each_image(run, folder, tmp_path):
    assert run(folder, '--camera-up', 0, -1, 0, '--camera-height', 1.3) == 0
    files = sorted((tmp_path / 'out/images').glob('person_*.trc'))
    assert len(files) == 2
    images = lines(tmp_path / 'out/images/poses.jsonl')
    for path in files:
        text, header, names, table = read_trc(path)
        assert text[0] == ['PathFileType', '4', '(X/Y/Z)', path.name]
        assert (header['Units'], int(header['NumMarkers'])) == ('m', len(PANOPTIC19))
        assert int(header['NumFrames']) == len(table)
        assert tuple(names) == PANOPTIC19.keypoints
        np.testing.assert_array_equal(table[:, 0], np.arange(1, len(table) + 1))
        np.testing.assert_allclose(np.diff(table[:, 1]), 1 / 30, atol=1e-5)
        points = table[:, 2:].reshape(len(table), -1, 3)
        assert np.isnan(points).all(axis=(1, 2)).sum() == 4  # the black images
        track_id = int(path.stem.removeprefix('person_'))
        (person,) = [p for p in images[-1]['people'] if p['track_id'] == track_id]
        x, y, z = person['xyz_m'][0]
        np.testing.assert_allclose(points[-1, 0], [x, 1.3 - y, -z], atol=1e-5)
        nose, hip = (points[-1, PANOPTIC19.index(name), 1] for name in ('nose', 'left_hip'))
        assert nose > hip


def test_the_frame_of_trc_is_level_whatever_the_attitude_of_the_camera():
    angle = np.radians(30)
    pose = CameraPose(np.array([0, -np.cos(angle), -np.sin(angle)]), 2.0)
    below_m = -2.0 * pose.up[np.newaxis]  # on the floor, below the camera
    np.testing.assert_allclose(y_up(below_m, pose), [[0, 0, 0]], atol=1e-12)
    np.testing.assert_allclose(y_up(np.array([[1.0, 2.0, 3.0]]), None), [[1, -2, -3]])


def test_an_interrupted_run_goes_on_and_writes_the_same(run, folder, tmp_path, monkeypatch):
    assert run(folder, '--write', 'jsonl,csv,trc', out='whole') == 0
    with monkeypatch.context() as patch:
        patch.setattr(JsonlWriter, 'write', interrupt_at(15))
        with pytest.raises(KeyboardInterrupt, match='after 0 recordings, 15 images; the same'):
            run(folder, '--write', 'jsonl,csv,trc')
    assert [path.name for path in (tmp_path / 'out').iterdir()] == ['images.partial']
    detected = []
    estimator = worker._estimator

    def counting(arguments):
        made = estimator(arguments)
        inner = made.detect
        made.detect = lambda *images: detected.append(1) or inner(*images)
        return made

    monkeypatch.setattr(worker, '_estimator', counting)
    assert run(folder, '--write', 'jsonl,csv,trc') == 0
    assert len(detected) == COUNT - 16
    whole, resumed = (
        {path.name: path.read_bytes() for path in (tmp_path / name / 'images').iterdir()}
        for name in ('whole', 'out')
    )
    assert whole == resumed
    # And what is done is not done again.
    assert run(folder, '--write', 'jsonl,csv,trc') == 0
    assert len(detected) == COUNT - 16
    # With other settings it is.
    assert run(folder, '--write', 'jsonl,csv,trc', '--keypoint-threshold', 0.2) == 0
    assert len(detected) == 2 * COUNT - 16


CALIBRATION = """image_width: 448
image_height: 256
camera_matrix: {{rows: 3, cols: 3, data: [{focal_px}, 0, 224, 0, {focal_px}, 128, 0, 0, 1]}}
distortion_model: plumb_bob
distortion_coefficients: {{rows: 1, cols: 5, data: [0, 0, 0, 0, 0]}}
"""


def interrupt_at(number):
    """Return a method of JsonlWriter that is interrupted at an image."""
    write = JsonlWriter.write

    def interrupted(self, processed):
        if processed.number == number:
            raise KeyboardInterrupt
        write(self, processed)

    return interrupted


def test_another_content_of_the_same_file_is_processed_again(
    run, folder, tmp_path, two_people_xml, capsys
):
    calibration, model = tmp_path / 'camera.yaml', tmp_path / 'network.xml'
    for suffix in ('.xml', '.bin'):
        model.with_suffix(suffix).write_bytes(two_people_xml.with_suffix(suffix).read_bytes())
    calibration.write_text(CALIBRATION.format(focal_px=400.0))

    def done_before(version='1'):
        options = ('--write', 'jsonl', '--calibration-file', calibration)
        assert run(folder, *options, model=model, version=version) == 0
        return '1 already done' in capsys.readouterr().out

    assert not done_before()
    assert done_before()
    calibration.write_text(CALIBRATION.format(focal_px=500.0))
    assert not done_before()
    assert done_before()
    model.write_text(model.read_text() + '\n')
    assert not done_before()
    assert done_before()
    cv2.imwrite(str(folder / '3.png'), np.full((256, 448, 3), 104, np.uint8))
    assert not done_before()
    assert done_before()
    assert not done_before(version='2')


def test_a_partial_run_of_another_network_is_not_gone_on_with(
    run, folder, tmp_path, two_people_xml, monkeypatch
):
    model = tmp_path / 'network.xml'
    for suffix in ('.xml', '.bin'):
        model.with_suffix(suffix).write_bytes(two_people_xml.with_suffix(suffix).read_bytes())
    with monkeypatch.context() as patch:
        patch.setattr(JsonlWriter, 'write', interrupt_at(15))
        with pytest.raises(KeyboardInterrupt):
            run(folder, '--write', 'jsonl', model=model)
    model.write_text(model.read_text() + '\n')
    journalled = []
    read = Journal.read
    monkeypatch.setattr(Journal, 'read', lambda self: journalled.append(read(self)) or None)
    assert run(folder, '--write', 'jsonl', model=model) == 0
    assert journalled == [None] * COUNT


def test_both_modes_write_the_same(run, folder, tmp_path):
    # Of another size: the network is compiled again while other images are in flight.
    cv2.imwrite(str(folder / '12.png'), np.full((448, 256, 3), 120, np.uint8))
    assert run(folder, '--mode', 'latency', '--write', 'jsonl,csv,trc', out='latency') == 0
    assert run(folder, '--mode', 'throughput', '--write', 'jsonl,csv,trc') == 0
    one, other = (
        {path.name: path.read_bytes() for path in (tmp_path / name / 'images').iterdir()}
        for name in ('latency', 'out')
    )
    assert one == other


@pytest.mark.parametrize(
    ('mode', 'interval', 'number'),
    [('throughput', 1, 2), ('latency', 1, 1), ('throughput', 2, 1)],
)
def test_several_images_are_in_flight_unless_one_needs_the_one_before(
    run, folder, monkeypatch, mode, interval, number
):
    together = []
    two = threading.Barrier(2)
    estimator = worker._estimator

    def watched(arguments):
        made = estimator(arguments)
        made.detector.detector_interval = interval
        inner = made.detect

        def detect(*images):
            try:
                two.wait(0.05 if number == 1 else 60)
                together.append(2)
            except threading.BrokenBarrierError:
                two.reset()
                together.append(1)
            return inner(*images)

        made.detect = detect
        return made

    monkeypatch.setattr(worker, '_estimator', watched)
    assert run(folder, '--mode', mode, '--write', 'jsonl') == 0
    assert together == [number] * COUNT


def test_damaged_and_missing_inputs_are_named_and_the_others_processed(
    run, video, tmp_path, capsys
):
    damaged = overwrite(video, tmp_path / 'damaged.mp4', 0.4, 0.6)
    inputs = (tmp_path / 'missing.mp4', damaged, video)
    for _ in range(2):  # the second time everything is done, and as damaged as before
        assert run(*inputs, '--write', 'jsonl') == 1
        written = capsys.readouterr()
        assert 'missing.mp4' in written.err
        assert 'damaged.mp4 is damaged' in written.err
    assert len(lines(tmp_path / 'out/walk.mp4/poses.jsonl')) == 60
    assert len(lines(tmp_path / 'out/damaged.mp4/poses.jsonl')) < 60


def test_inputs_of_one_name_do_not_overwrite_each_other(run, video, tmp_path):
    other = tmp_path / 'other' / 'walk.mp4'
    other.parent.mkdir()
    other.write_bytes(video.read_bytes())
    assert run(video, other, '--write', 'csv') == 0
    assert {path.name for path in (tmp_path / 'out').iterdir()} == {'walk.mp4', 'walk.mp4_2'}


@pytest.mark.parametrize(
    ('arguments', 'problem'),
    [
        (['--write', 'jsonl,pdf'], 'found pdf'),
        (['--shard', '3/2'], '--shard must be I/N'),
        (['--camera-height', '1'], '--camera-height needs --camera-up'),
        (['--gravity-frame', 'base', '--camera-up', '0', '-1', '0'], 'found both'),
        (['--keypoint-threshold', '-1'], 'a keypoint must be from 0 to 1, found -1.0'),
        (['--person-threshold', 'nan'], 'a person must be from 0 to 1, found nan'),
        (['--min-keypoints', '99'], 'found 99'),
        (['--focal-length', '-5'], '--focal-length must be a number from 0 on, found -5.0'),
        (['--assumed-person-height', '-1'], '--assumed-person-height must be'),
        (['--skip', '-3'], '--skip must be'),
    ],
)
def test_arguments_that_make_no_sense_are_refused(run, video, capsys, arguments, problem):
    assert run(video, *arguments) == 2
    assert problem in capsys.readouterr().err


def test_an_output_folder_that_cannot_be_made_is_named(run, video, tmp_path, capsys):
    (tmp_path / 'README.md').write_text('')
    assert run(video, out='README.md') == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert str(tmp_path / 'README.md') in line


def test_options_for_bags_are_not_ignored_without_a_word(run, folder, capsys):
    assert run(folder, '--write', 'mcap') == 1
    assert '--write mcap writes files of bags only' in capsys.readouterr().err
    assert run(folder, '--write', 'csv', '--gravity-frame', 'base_footprint') == 0
    assert '--gravity-frame is not used for it' in capsys.readouterr().err


def test_two_processes_do_not_write_the_same_files(run, folder, tmp_path, capsys):
    partial = tmp_path / 'out/images.partial'
    partial.mkdir(parents=True)
    number = os.open(partial, os.O_RDONLY)
    fcntl.flock(number, fcntl.LOCK_EX)
    assert run(folder) == 1
    assert 'another process is working on it' in capsys.readouterr().err
    assert list(partial.iterdir()) == []
    os.close(number)
    assert run(folder) == 0


def test_a_full_disk_is_a_line_and_the_same_command_goes_on(
    run, folder, tmp_path, capsys, monkeypatch
):
    def full(*_):
        raise OSError(errno.ENOSPC, 'No space left on device')

    with monkeypatch.context() as patch:
        patch.setattr(worker.WRITERS['jsonl'], 'write', full)
        assert run(folder) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert 'images is not finished' in line
    assert 'No space left on device' in line
    assert run(folder) == 0
    assert len(lines(tmp_path / 'out/images/poses.jsonl')) == COUNT


def test_live_sources_are_refused_without_their_secrets(run, capsys):
    assert run('rtsp://user:secret@host/a') == 1
    written = capsys.readouterr().err
    assert 'live source' in written
    assert 'secret' not in written


def test_shards_are_disjoint_and_complete_in_whatever_order_inputs_are_listed():
    paths = [f'{i}.mp4' for i in range(10)]
    parts = [shard(named(paths[i:] + paths[:i]), i, 3) for i in (1, 2, 3)]
    assert sorted(one.path for part in parts for one in part) == paths
    assert {len(part) for part in parts} == {3, 4}


def test_inputs_have_names_of_their_own_and_the_same_on_every_machine():
    paths = ['b/a.mp4', 'a.mp4_2', 'a/a.mp4', 'b/a.mp4', 'c/run.1/', 'c/run.2']
    expected = [
        'a.mp4_2 a.mp4_2',
        'a/a.mp4 a.mp4',
        'b/a.mp4 a.mp4_3',
        'c/run.1/ run.1',
        'c/run.2 run.2',
    ]
    for order in (paths, paths[::-1]):
        assert sorted(f'{one.path} {one.name}' for one in named(order)) == expected
    assert [one.name for part in (1, 2, 3) for one in shard(named(paths), part, 3)].count(
        'a.mp4'
    ) == 1


@pytest.mark.parametrize('deviations', [True, False])
def test_the_journal_keeps_every_number_and_drops_what_was_cut_off(tmp_path, deviations):
    people = [scene([(0, 0, 3.0), (1, 0, 4.0)]), scene(np.empty((0, 3))), scene([(1, 0, 5.0)])]
    if deviations:
        rng = np.random.default_rng(1)
        people = [
            type(p)(p.people_2d, p.xyz_m, p.source, p.root_covariance_m2, rng.random((len(p), 19)))
            for p in people
        ]
    with Journal(tmp_path) as journal:
        assert journal.read() is None
        for one in people:
            journal.write(one)
    path = tmp_path / Journal.NAME
    path.write_bytes(path.read_bytes()[:-7])
    with Journal(tmp_path) as journal:
        for one in people[:2]:
            found = journal.read()
            np.testing.assert_array_equal(found.xyz_m, one.xyz_m)
            np.testing.assert_array_equal(found.people_2d.xy_px, one.people_2d.xy_px)
            np.testing.assert_array_equal(found.source, one.source)
            assert (found.sd_m is None) == (one.sd_m is None)
        assert journal.read() is None
        journal.write(people[2])
    with Journal(tmp_path) as journal:
        assert len([1 for _ in range(3) if journal.read() is not None]) == 3


def test_progress_shows_rate_and_time_left(monkeypatch):
    progress = Progress('walk.mp4', 100)
    progress.start_s = 10.0
    line = progress.line(25, 15.0)
    assert line == 'walk.mp4: [#####...............] 25 of 100 images, 5.0 Hz, 0:15 left'

"""The networks that can be installed, one entry each. A second network is one more entry."""

from __future__ import annotations

from dataclasses import dataclass

from pose3d_ros.models import ModelError


@dataclass(frozen=True)
class PublishedFile:
    """A file as its publisher offers it.

    Parameters
    ----------
    addresses
        Where it lies, best first.
    size
        Bytes.
    sha384
        Checksum, 96 hexadecimal digits.
    """

    addresses: tuple[str, ...]
    size: int
    sha384: str


@dataclass(frozen=True)
class ModelEntry:
    """A network.

    Parameters
    ----------
    name, version
        As published.
    files
        What to download. Of several the others differ from the first by their suffix alone.
    licence
        SPDX.
    accuracy
        As published, in the publisher's words.
    converter
        Module of this folder whose ``convert`` makes the graph of the bytes of each of `files`.
    """

    name: str
    version: str
    files: tuple[PublishedFile, ...]
    licence: str
    accuracy: str
    converter: str

    @property
    def size(self) -> int:
        """Bytes to download."""
        return sum(file.size for file in self.files)


_ZOO = 'https://storage.openvinotoolkit.org/repositories/open_model_zoo'

DEFAULT_MODEL = 'human-pose-estimation-3d-0001'

CATALOGUE = (
    ModelEntry(
        name=DEFAULT_MODEL,
        version='Open Model Zoo 2022.1',
        files=(
            PublishedFile(
                addresses=(
                    f'{_ZOO}/public/2022.1/human-pose-estimation-3d-0001/human-pose-estimation-3d.tar.gz',
                    'https://download.01.org/opencv/openvino_training_extensions/models/'
                    'human_pose_estimation/human-pose-estimation-3d.tar.gz',
                ),
                size=18421831,
                sha384='14d1b70eb2d4102969b29c7716cbcdf9d1acd35839e044d2'
                'e62d69fbce4b98aa06cb954bb703d411cf991ffd809c6ea9',
            ),
        ),
        licence='Apache-2.0',
        # Its formula divides a norm over 18 joints by 18, so that it is not the usual MPJPE.
        accuracy='100.45 mm "MPJPE" on CMU Panoptic',
        converter='graph_mobilenet',
    ),
    ModelEntry(
        name='human-pose-estimation-0001',
        version='Open Model Zoo 2023.0',
        files=(
            PublishedFile(
                addresses=(
                    f'{_ZOO}/2023.0/models_bin/1/human-pose-estimation-0001/FP32/human-pose-estimation-0001.xml',
                ),
                size=152120,
                sha384='64e24ceca496aba4fb818edbea7c3a1405bc42c3166eac1b'
                '4be4f6cc89623c80cb9a1fd4c32d245d423653aa588e1a0b',
            ),
            PublishedFile(
                addresses=(
                    f'{_ZOO}/2023.0/models_bin/1/human-pose-estimation-0001/FP32/human-pose-estimation-0001.bin',
                ),
                size=16394708,
                sha384='64ef06d261ae522409172a396d927f7345525dbde011e3e2'
                'bff487f73e7b1d8cf622091feba9c23c7d4625c0aab0a3e5',
            ),
        ),
        licence='Apache-2.0',
        # On a part of the validation images, at 368 lines (accuracy-check.yml), not at 256.
        accuracy='42.8 % AP on COCO (2D)',
        converter='openpose_ir',
    ),
)


def find(name: str) -> ModelEntry:
    """Return the entry of a name; ModelError that lists all names where there is none."""
    for entry in CATALOGUE:
        if entry.name == name:
            return entry
    raise ModelError(
        f'no network named {name!r}; known are {", ".join(e.name for e in CATALOGUE)}'
    )

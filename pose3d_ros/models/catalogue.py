"""The networks that can be installed, one entry each. A further network is one more entry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pose3d_ros.models import ModelError
from pose3d_ros.models import contracts as c
from pose3d_ros.network_spec import NetworkSpec
from pose3d_ros.wording import did_you_mean

# Families of the person detectors and of the networks on crops.
_FAMILIES_OF_PAIRS = ('person_boxes', 'top_down')


@dataclass(frozen=True)
class PublishedFile:
    """A file as its publisher offers it.

    Parameters
    ----------
    addresses
        Web addresses, preferred first.
    size
        Bytes. None: not published.
    sha384
        Checksum, 96 hexadecimal digits. None: not published; the checksum of the network in it is
        recorded at the first installation, and later installations are held to it.
    member
        End of the path of the network in an archive of several.
    """

    addresses: tuple[str, ...]
    size: int | None = None
    sha384: str | None = None
    member: str = ''


@dataclass(frozen=True)
class ModelEntry:
    """A network.

    Parameters
    ----------
    name, version
        As published.
    files
        Files to download for each precision that is published, preferred first. If a precision
        has several files, they differ from the first by their suffix alone.
    licence
        SPDX.
    accuracy
        As published, in the publisher's words.
    converter
        Module of ``models/conversion`` whose ``convert`` builds the graph from the bytes of each
        of the files. '': the published graph is taken as it is.
    specs
        What the network takes and gives; of several the first that agrees with the graph.
    """

    name: str
    version: str
    files: Mapping[str, tuple[PublishedFile, ...]]
    licence: str
    accuracy: str
    specs: tuple[NetworkSpec, ...]
    converter: str = ''

    @property
    def precision(self) -> str:
        """Precision that is installed unless another is asked for."""
        return next(iter(self.files))

    @property
    def finds_people(self) -> bool:
        """Whether the network finds people by itself, not as one of a pair."""
        return self.specs[0].family not in _FAMILIES_OF_PAIRS

    @property
    def size(self) -> int | None:
        """Bytes to download; None if they are not published."""
        sizes = [file.size for file in self.files[self.precision]]
        return None if None in sizes else sum(size or 0 for size in sizes)


_ZOO = 'https://storage.openvinotoolkit.org/repositories/open_model_zoo'
_MMPOSE = 'https://download.openmmlab.com/mmpose/v1/projects'
# The authors' copy of the same files.
_MMPOSE_COPY = 'https://huggingface.co/Tau-J/RTMPose/resolve/main'
_TFHUB = 'https://storage.googleapis.com/tfhub-lite-models/google/lite-model/movenet'
_KAGGLE = 'https://www.kaggle.com/api/v1/models/google/movenet/tfLite'

DEFAULT_MODEL = 'human-pose-estimation-0001'


def _intel_0001(folder: str, xml: tuple[int, str], weights: tuple[int, str]) -> tuple[
    PublishedFile, ...
]:  # fmt: skip
    """Return the .xml and the .bin of human-pose-estimation-0001 in a folder of the zoo."""
    address = f'{_ZOO}/{folder}/human-pose-estimation-0001'
    return (
        PublishedFile((f'{address}.xml',), *xml),
        PublishedFile((f'{address}.bin',), *weights),
    )


def _openmmlab(
    name: str, path: str, accuracy: str, *specs: NetworkSpec, member: str = ''
) -> ModelEntry:
    """Return the entry of an archive of OpenMMLab's with ``end2end.onnx`` in it."""
    addresses = (f'{_MMPOSE}/{path}', f'{_MMPOSE_COPY}/{path}')
    return ModelEntry(
        name=name,
        version=path.rpartition('/')[2].removesuffix('.zip'),
        files={'f32': (PublishedFile(addresses, member=member),)},
        licence='Apache-2.0',
        accuracy=accuracy,
        specs=specs,
    )


def _movenet(
    name: str, variant: str, version: int, accuracy: str, spec: NetworkSpec
) -> ModelEntry:
    """Return the entry of a .tflite of Google's."""
    addresses = (
        f'{_TFHUB}/{variant.replace("-", "/")}/tflite/float16/{version}.tflite',
        f'{_KAGGLE}/{variant}-tflite-float16/1/download',
    )
    return ModelEntry(
        name=name,
        version=f'{variant} tflite float16 {version}',
        files={'f16': (PublishedFile(addresses),)},
        licence='Apache-2.0',
        accuracy=accuracy,
        specs=(spec,),
    )


CATALOGUE = (
    ModelEntry(
        name=DEFAULT_MODEL,
        version='Open Model Zoo 2021.4 and 2023.0',
        files={
            'int8': _intel_0001(
                '2021.4/models_bin/3/human-pose-estimation-0001/FP16-INT8',
                (
                    426156,
                    'f2c890b36f3fd45c81b6a8c7bc952977b1b60748c036a1e4'
                    '8eed7bf0fcae9d8372a6d897ba65ebde27529fe1ab56ce3d',
                ),
                (
                    4170034,
                    'c8fd0eea004648dc2e52805757c4e5ba26c5900096c71e46'
                    '571ac6578e22f88f4e12c8cf07cf5f08810421821a19f6f1',
                ),
            ),
            'f32': _intel_0001(
                '2023.0/models_bin/1/human-pose-estimation-0001/FP32',
                (
                    152120,
                    '64e24ceca496aba4fb818edbea7c3a1405bc42c3166eac1b'
                    '4be4f6cc89623c80cb9a1fd4c32d245d423653aa588e1a0b',
                ),
                (
                    16394708,
                    '64ef06d261ae522409172a396d927f7345525dbde011e3e2'
                    'bff487f73e7b1d8cf622091feba9c23c7d4625c0aab0a3e5',
                ),
            ),
        },
        licence='Apache-2.0',
        # On a part of the validation images, at 368 lines (accuracy-check.yml), not at 256.
        accuracy='42.8 % AP on COCO (2D)',
        converter='openpose_ir',
        specs=(c.OPENPOSE,),
    ),
    ModelEntry(
        name='human-pose-estimation-3d-0001',
        version='Open Model Zoo 2022.1',
        files={
            'f32': (
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
            )
        },
        licence='Apache-2.0',
        # Its formula divides a norm over 18 keypoints by 18, so that it is not the usual MPJPE.
        accuracy='100.45 mm "MPJPE" on CMU Panoptic',
        converter='graph_mobilenet',
        specs=(c.OPENPOSE_3D,),
    ),
    _movenet(
        'movenet-multipose', 'multipose-lightning', 1, 'up to 6 people; no AP published',
        c.MOVENET_MULTIPOSE,
    ),
    _openmmlab(
        'rtmo-t', 'rtmo/onnx_sdk/rtmo-t_8xb32-600e_body7-416x416-f48f75cb_20231219.zip',
        '57.4 AP on COCO', c.rtmo(416),
    ),
    _openmmlab(
        'rtmo-s', 'rtmo/onnx_sdk/rtmo-s_8xb32-600e_body7-640x640-dac2bf74_20231211.zip',
        '68.6 AP on COCO', c.rtmo(640),
    ),
    _openmmlab(
        'rtmo-m', 'rtmo/onnx_sdk/rtmo-m_16xb16-600e_body7-640x640-39e78cc4_20231211.zip',
        '72.6 AP on COCO', c.rtmo(640),
    ),
    _movenet(
        'movenet-lightning', 'singlepose-lightning', 4, '63.0 mAP on COCO images of one person',
        c.movenet_single(192),
    ),
    _movenet(
        'movenet-thunder', 'singlepose-thunder', 4, '72.0 mAP on COCO images of one person',
        c.movenet_single(256),
    ),
    _openmmlab(
        'rtmpose-t',
        'rtmposev1/onnx_sdk/rtmpose-t_simcc-body7_pt-body7_420e-256x192-026a1439_20230504.zip',
        '65.9 AP on COCO, on crops', c.rtmpose('coco17'),
    ),
    _openmmlab(
        'rtmpose-s',
        'rtmposev1/onnx_sdk/rtmpose-s_simcc-body7_pt-body7_420e-256x192-acd4a1ef_20230504.zip',
        '69.7 AP on COCO, on crops', c.rtmpose('coco17'),
    ),
    _openmmlab(
        'rtmpose-m',
        'rtmposev1/onnx_sdk/rtmpose-m_simcc-body7_pt-body7_420e-256x192-e48f03d0_20230504.zip',
        '74.9 AP on COCO, on crops', c.rtmpose('coco17'),
    ),
    _openmmlab(
        'rtmpose-s-halpe26',
        'rtmposev1/onnx_sdk/rtmpose-s_simcc-body7_pt-body7-halpe26_700e-256x192-7f134165_20230605'
        '.zip',
        '68.6 AUC on body8 crops, 26 keypoints', c.rtmpose('halpe26'),
    ),
    _openmmlab(
        'yolox-nano', 'rtmposev1/onnx_sdk/yolox_nano_8xb8-300e_humanart-40f6f0d0.zip',
        'person detector, 38.9 AP on COCO', c.YOLOX,
    ),
    _openmmlab(
        'yolox-tiny', 'rtmposev1/onnx_sdk/yolox_tiny_8xb8-300e_humanart-6f3252f9.zip',
        'person detector, 47.7 AP on COCO', c.YOLOX,
    ),
    _openmmlab(
        'rtmdet-nano', 'rtmpose/rtmpose-cpu.zip', 'person detector, 40.3 AP on COCO',
        c.RTMDET_BOXES, c.RTMDET_GRIDS, member='rtmdet-nano/end2end.onnx',
    ),
)  # fmt: skip


def find(name: str) -> ModelEntry:
    """Return the entry of a name; ModelError with the nearest and all names if there is none."""
    for entry in CATALOGUE:
        if entry.name == name:
            return entry
    names = [entry.name for entry in CATALOGUE]
    raise ModelError(
        f'no network named {name!r}{did_you_mean(names, name)}; known are {", ".join(names)}'
    )

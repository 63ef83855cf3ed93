"""Latency of one network in f32, bf16 and int8, on this machine in one run.

    python -m benchmark.precision [--model M] [--calibration-images FOLDER]

The networks alternate, so that other load on the machine affects all of them alike: compare the
ratios. int8 needs NNCF. Without images it is calibrated on noise, which is good enough for its
latency but not for its accuracy.
"""

from __future__ import annotations

import argparse
import platform
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import openvino as ov

from pose3d_ros.models import ModelError, quantise
from pose3d_ros.models.store import resolve

# CPU flags that decide which precisions are fast.
CPU_FEATURES = (
    'avx2',
    'avx512f',
    'avx512_vnni',
    'avx512_bf16',
    'avx512_fp16',
    'amx_bf16',
    'amx_int8',
)
CALIBRATION_IMAGES = 30
WARM_UP_ROUNDS = 3


def main() -> None:
    """Measure and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--model', default='auto', help='name or path (default: %(default)s)')
    parser.add_argument('--rounds', type=int, default=30)
    parser.add_argument('--calibration-images', type=Path, metavar='FOLDER')
    args = parser.parse_args()
    path = resolve(args.model)
    if isinstance(path, tuple):
        parser.error(f'--model must be one network, found the pair {args.model}')
    model = ov.Core().read_model(path)
    height, width = quantise.input_hw(model)
    x, *inputs = (
        quantise.letterboxed(i, (height, width)) for i in _images(args.calibration_images)
    )
    networks = _compile(model, inputs)
    times = _measure(networks, x, args.rounds)
    print(f'{path.name}, {height} x {width}, OpenVINO {ov.get_version().split("-")[0]}, ', end='')
    print(f'CPU with {_cpu()}; medians of {args.rounds} rounds.\n')
    print('| precision | latency, ms | share of f32 | largest change of an output |')
    print('|---|---|---|---|')
    for name in networks:
        ratio = np.median(times[name] / times['f32'])
        change = _largest_change(networks['f32'], networks[name], x)
        print(f'| {name} | {np.median(times[name]) * 1e3:.1f} | {ratio:.2f} | {change:.2%} |')


def _images(folder: Path | None) -> list[Any]:
    if folder is None:
        rng = np.random.default_rng(1)
        return [rng.integers(0, 256, (256, 448, 3), np.uint8) for _ in range(CALIBRATION_IMAGES)]
    paths = sorted(folder.iterdir())[:CALIBRATION_IMAGES]
    return [image for path in paths if (image := cv2.imread(str(path))) is not None]


def _compile(model: ov.Model, inputs: list[Any]) -> dict[str, Any]:
    core = ov.Core()

    def compiled(network: ov.Model, precision: str) -> Any:
        options = {'PERFORMANCE_HINT': 'LATENCY', 'INFERENCE_PRECISION_HINT': precision}
        return core.compile_model(network, 'CPU', options)

    networks = {'f32': compiled(model, 'f32'), 'bf16': compiled(model, 'bf16')}
    try:
        int8 = quantise.quantise(model, inputs)
    except ModelError as error:
        print(f'no int8: {error}\n')
        return networks
    return networks | {
        'int8, the rest f32': compiled(int8, 'f32'),
        'int8, the rest bf16': compiled(int8, 'bf16'),
    }


def _measure(networks: dict[str, Any], x: Any, rounds: int) -> dict[str, Any]:
    """Return the seconds of every network in every round, ``(rounds,)`` by name."""
    requests = {name: network.create_infer_request() for name, network in networks.items()}
    times: dict[str, list[float]] = {name: [] for name in networks}
    for turn in range(WARM_UP_ROUNDS + rounds):
        for name, request in requests.items():
            start = time.perf_counter()
            request.infer({0: x}, share_inputs=True)
            if turn >= WARM_UP_ROUNDS:
                times[name].append(time.perf_counter() - start)
    return {name: np.array(seconds) for name, seconds in times.items()}


def _largest_change(f32: Any, other: Any, x: Any) -> float:
    """Return the largest difference of any output, relative to that output's largest value."""
    pairs = zip(f32(x).values(), other(x).values(), strict=True)
    return float(max(np.abs(a - b).max() / np.abs(a).max() for a, b in pairs))


def _cpu() -> str:
    """Return the flags of the CPU that matter for precision."""
    try:
        flags = set(Path('/proc/cpuinfo').read_text().split())
    except OSError:
        return platform.processor()
    absent = [f for f in CPU_FEATURES if f not in flags]
    return f'{" ".join(f for f in CPU_FEATURES if f in flags)} (without {" ".join(absent)})'


if __name__ == '__main__':
    main()

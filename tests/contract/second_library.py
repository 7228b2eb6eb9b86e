"""The whole library once more, under another name, with a line of one file exchanged."""

import contextlib
import importlib.util
import sys
from collections.abc import Iterator
from importlib.abc import MetaPathFinder
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

import lecture_optax

_ROOT = Path(lecture_optax.__file__).parent
_NAME = "second_lecture_optax"


class _Exchanged(SourceFileLoader):
    """Compile a file with `old` exchanged for `new`, and leave no bytecode."""

    def __init__(self, name: str, path: str, old: str, new: str):
        super().__init__(name, path)
        self._old, self._new = old, new

    def get_code(self, fullname):
        source = Path(self.path).read_text()
        times = source.count(self._old)
        if times != 1:
            raise ValueError(f"{self._old!r} stands {times} times in {self.path}, expected once.")
        return compile(source.replace(self._old, self._new), self.path, "exec")


class _Finder(MetaPathFinder):
    def __init__(self, file: str, old: str, new: str):
        self._path = _ROOT / file
        parts = Path(file).with_suffix("").parts
        self._loader = _Exchanged(".".join((_NAME, *parts)), str(self._path), old, new)

    def find_spec(self, fullname, path, target=None):
        if fullname == _NAME:
            return importlib.util.spec_from_file_location(fullname, _ROOT / "__init__.py")
        if fullname == self._loader.name:
            return importlib.util.spec_from_file_location(fullname, loader=self._loader)
        return None


@contextlib.contextmanager
def library_with(file: str, old: str, new: str) -> Iterator[ModuleType]:
    """Import the library with `old` exchanged for `new` in `file`, and forget it afterwards.

    **Raises** `ValueError` unless `old` stands there exactly once.
    """
    finder = _Finder(file, old, new)
    sys.meta_path.insert(0, finder)
    try:
        yield importlib.import_module(_NAME)
    finally:
        sys.meta_path.remove(finder)
        for name in [name for name in sys.modules if name.split(".")[0] == _NAME]:
            del sys.modules[name]

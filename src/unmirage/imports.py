"""Treat an installed torchvision that cannot be imported as missing, so that transformers works without it.

transformers looks for torchvision when it is imported, and uses it if it is installed. The build of torchvision on PyPI
does not fit torch's build for CPUs: `import torchvision` then raises "operator torchvision::nms does not exist", and so
does every import of a model. `watch` installs a finder that tries the import once, when transformers is first imported.
"""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module, metadata, util
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

log = logging.getLogger(__name__)
_NAME = "torchvision"
_INDEX = "https://download.pytorch.org/whl"
_broken: dict[str, str] = {}  # the reason, by package


class _Watch(MetaPathFinder):
    """Finds nothing: it only notices the first import of transformers."""

    _is_done = False

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,  # noqa: ARG002
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        """Check torchvision before transformers looks for it."""
        if fullname == "transformers" and not self._is_done:
            self._is_done = True
            _hide_if_broken()
        return None


def watch() -> None:
    """Check torchvision when transformers is first imported. It costs nothing where torchvision is not installed."""
    if not any(isinstance(one, _Watch) for one in sys.meta_path):
        sys.meta_path.insert(0, _Watch())


def _hide_if_broken() -> None:
    if reason := why_broken():
        log.warning("torchvision is installed, but broken (%s); it is not used. %s", reason, remedy())


def why_broken() -> str:
    """Return why the installed torchvision cannot be imported; "" if it can, or is not installed.

    A torchvision that is broken is hidden from all later imports in this process.
    """
    if _NAME in _broken:
        return _broken[_NAME]
    if _NAME in sys.modules or util.find_spec(_NAME) is None:
        return ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import_module(_NAME)
    except Exception as error:  # extensions raise errors of any kind
        if isinstance(error, ModuleNotFoundError) and error.name == "torch":
            return ""  # torch is missing, not torchvision
        for name in [one for one in sys.modules if one == _NAME or one.startswith(f"{_NAME}.")]:
            del sys.modules[name]
        sys.modules[_NAME] = None  # type: ignore[assignment]  # Python raises ImportError for it
        _broken[_NAME] = " ".join(str(error).split())[:200] or type(error).__name__
    return _broken.get(_NAME, "")


def remedy() -> str:
    """Return the command that installs the build of torchvision that fits torch."""
    try:
        build = metadata.version("torch").partition("+")[2]
    except metadata.PackageNotFoundError:
        build = ""
    index = f" --index-url {_INDEX}/{build}" if build else ""
    return f"Install the build for your torch: pip uninstall -y torchvision && pip install torchvision{index}"

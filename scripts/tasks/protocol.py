"""The one switch between an honest evaluation and the published protocols' own rules."""

from __future__ import annotations

from typing import Any

from ..errors import CxrError

PROTOCOLS = ("mended", "published")


def by_protocol(protocol: str, mended: Any, published: Any) -> Any:
    """The value that a protocol's config takes: `mended` by default, `published` to restore what a comparison needs.

    Raises:
        CxrError: `protocol` is neither.
    """
    if protocol not in PROTOCOLS:
        raise CxrError(f"protocol must be {' or '.join(PROTOCOLS)}, not {protocol!r}.")
    return mended if protocol == "mended" else published

"""docs/data_license.txt of a pack."""

from __future__ import annotations

UNSAID = (
    "Whoever made this pack did not say which data the weights were trained on. Ask before you use or pass them on: "
    "weights are under what their data allow, not under the licence of the code."
)


def data_licence(data: str | None) -> str:
    """The text.

    Args:
        data: what the weights were trained on and under which terms; None = not said.
    """
    return f"""Data and weights

1. Code and configs of this bundle are under the Apache License 2.0 (LICENSE). It contains no image and no report.

2. The weights in models/ were trained on:

     {data or UNSAID}

   They are under what these data allow. Weights trained on data with a non-commercial or share-alike licence cannot be
   released under the Apache License. Read the terms at the source before you use the weights or pass them on.

3. What you train further, you train on data with terms of their own, which then hold besides.
"""

"""Which layer of a simulcast track suits the size a slot is shown at."""

from collections.abc import Sequence

import msgspec

UPSCALE = 1.2
"""A layer may be shown so much taller than it is before the next one is taken; going down needs no upscaling at all.
The band between the two keeps a window being resized from flapping."""


class LayerOffer(msgspec.Struct, frozen=True):
    """One live layer: what it costs, and its height in pixels (0: unknown, H.264 or no key frame seen).

    ``is_thin``: the next one that is not, without its upper temporal layers. Nobody wants that; it is what may fit.
    """

    bitrate_bps: int
    height: int
    is_thin: bool = False


def wanted_layer(layers: Sequence[LayerOffer], shown_height: int | None, current: int | None) -> int:
    """The index of the worst layer (they go from worst to best) that looks good at ``shown_height`` device pixels.

    None: not told, so the best. ``current``: the index in use, which is kept inside the hysteresis band. Where the best
    layer's height is unknown a camera's usual 720 is taken, and half of the next better layer's for the others.
    """
    best = len(layers) - 1
    if shown_height is None:
        return best
    heights = _heights(layers)
    for index, height in enumerate(heights):
        if layers[index].is_thin:
            continue
        upscale = UPSCALE if current is None or index >= current else 1.0
        if height * upscale >= shown_height:
            return index
    return best


def _heights(layers: Sequence[LayerOffer]) -> list[int]:
    heights: list[int] = []
    better = 0
    for layer in reversed(layers):
        if not layer.is_thin:
            better = layer.height or (better // 2 if better else 720)
        heights.append(better)
    return heights[::-1]

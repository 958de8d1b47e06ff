"""Is a picture of the film the card it must be, letter by letter?"""

import numpy as np

from server.recording.film import labels
from tests.support.pictures import Pixels

SETTLED = 3.2
"""Mean difference in brightness (0..255) where there are letters: one other digit in a line makes 4, a name 80."""
FIRST_PICTURE = 8.0
"""The encoder spends less on it."""


def is_card(picture: Pixels, name: str, detail: str, within: float = SETTLED) -> bool:
    expected = labels.card(name, detail).luma.astype(np.float64)
    shown = 16 + 219 * (picture @ np.array([0.299, 0.587, 0.114])) / 255
    letters = np.maximum(expected, shown) > 60
    return bool(letters.any()) and float(np.abs(expected - shown)[letters].mean()) < within

"""Who is speaking, from the audio levels that senders state (RFC 6464). Only open gates are ever heard of here."""

from collections.abc import Hashable, Mapping
from typing import Generic, TypeVar

WINDOW_S = 0.2
SPEECH_LOUDNESS = 77.0
"""127 less the level in -dBov: louder than -50 dBov is speech, quieter is a room."""
HOLD_WINDOWS = 5
"""A second's pause for breath does not make anybody silent."""
CHALLENGE_WINDOWS = 3
CHALLENGE_DB = 6.0
"""Another takes over as dominant when louder by so much for so long (0.6 s): a cough does not."""
_SMOOTHING = 0.5

Key = TypeVar("Key", bound=Hashable)


class _Voice:
    __slots__ = ("challenges", "loudness", "windows_left")

    def __init__(self) -> None:
        self.loudness = 0.0
        self.windows_left = 0
        self.challenges = 0


class SpeakerDetector(Generic[Key]):
    """Fed once a window with each voice's mean loudness (0 silent .. 127); bounded by the voices of open gates."""

    def __init__(self) -> None:
        self._voices: dict[Key, _Voice] = {}
        self._dominant: Key | None = None
        self.active: tuple[Key, ...] = ()

    def window(self, loudness: Mapping[Key, float]) -> bool:
        """Take in one window; voices not in it were silent. True: ``active`` changed, by who is in it or who leads."""
        for key, value in loudness.items():
            if key not in self._voices and value >= SPEECH_LOUDNESS:
                self._voices[key] = _Voice()
        for key, voice in list(self._voices.items()):
            value = loudness.get(key, 0.0)
            voice.loudness += _SMOOTHING * (value - voice.loudness)
            voice.windows_left = HOLD_WINDOWS if value >= SPEECH_LOUDNESS else voice.windows_left - 1
            if voice.windows_left <= 0:
                del self._voices[key]
        return self._settle()

    def forget(self, key: Key) -> bool:
        """The voice's gate closed or it left. True: ``active`` changed."""
        self._voices.pop(key, None)
        return self._settle()

    def _settle(self) -> bool:
        before = self.active
        self._choose_dominant()
        if self._dominant is None:
            self.active = ()
        else:
            others = [key for key in before if key in self._voices and key != self._dominant]
            others += [key for key in self._voices if key != self._dominant and key not in others]
            self.active = (self._dominant, *others)
        return self.active != before

    def _choose_dominant(self) -> None:
        leader = self._voices.get(self._dominant) if self._dominant is not None else None
        if leader is None:
            self._dominant = max(self._voices, key=lambda key: self._voices[key].loudness, default=None)
            return
        for voice in self._voices.values():
            voice.challenges = voice.challenges + 1 if voice.loudness > leader.loudness + CHALLENGE_DB else 0
        louder = [key for key, voice in self._voices.items() if voice.challenges >= CHALLENGE_WINDOWS]
        if louder:
            self._dominant = max(louder, key=lambda key: self._voices[key].loudness)

"""The dominant speaker: a cough does not take over, a pause does not lose."""

from server.sfu.speakers import HOLD_WINDOWS, SpeakerDetector

LOUD, SOFT, ROOM = 107.0, 87.0, 60.0


def feed(detector: SpeakerDetector[str], windows: int, **loudness: float) -> bool:
    changes = [detector.window(loudness) for _ in range(windows)]
    return True in changes


def test_who_speaks_is_active_until_a_second_of_silence() -> None:
    detector: SpeakerDetector[str] = SpeakerDetector()
    assert not feed(detector, 5, an=ROOM)
    assert feed(detector, 1, an=LOUD)
    assert detector.active == ("an",)
    assert not feed(detector, HOLD_WINDOWS - 1)
    assert detector.active == ("an",)
    assert feed(detector, 1)
    assert not detector.active


def test_a_cough_does_not_take_over_but_a_speech_does() -> None:
    detector: SpeakerDetector[str] = SpeakerDetector()
    feed(detector, 10, an=SOFT)
    feed(detector, 1, an=SOFT, binh=LOUD)
    assert detector.active == ("an", "binh")
    feed(detector, 2, an=SOFT)
    assert detector.active[0] == "an"
    feed(detector, 8, an=SOFT, binh=LOUD)
    assert detector.active == ("binh", "an")


def test_equally_loud_voices_do_not_take_turns() -> None:
    detector: SpeakerDetector[str] = SpeakerDetector()
    feed(detector, 5, an=LOUD)
    changes = [detector.window({"an": LOUD - 3, "binh": LOUD}) for _ in range(30)]
    assert changes.count(True) == 1, "only when the second joined"
    assert detector.active == ("an", "binh")


def test_when_the_leader_falls_silent_the_loudest_leads() -> None:
    detector: SpeakerDetector[str] = SpeakerDetector()
    feed(detector, 5, an=LOUD)
    feed(detector, 3, an=LOUD, binh=SOFT, chi=SOFT + 5)
    feed(detector, HOLD_WINDOWS, binh=SOFT, chi=SOFT + 5)
    assert detector.active == ("chi", "binh")


def test_a_closed_gate_is_forgotten_at_once() -> None:
    detector: SpeakerDetector[str] = SpeakerDetector()
    feed(detector, 5, an=LOUD, binh=SOFT)
    assert detector.forget("an")
    assert detector.active == ("binh",)
    assert not detector.forget("nobody")

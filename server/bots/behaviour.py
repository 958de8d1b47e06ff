"""How a virtual endpoint behaves in a meeting: pure, seeded, told the time. It speaks Vietnamese, as the offices do."""

import random

import msgspec

from server.room.commands import CancelRequest, PersonCommand, ReleaseFloor, RequestFloor, Say

SUBJECTS = (
    "Báo cáo tình hình triển khai nhiệm vụ",
    "Kiến nghị về bố trí vốn đầu tư công",
    "Khó khăn trong giải phóng mặt bằng",
    "Tiến độ chuyển đổi số tại xã",
    "Công tác phòng chống thiên tai",
    "Đề nghị hướng dẫn về hồ sơ đất đai",
    "Kết quả giải quyết thủ tục hành chính",
    "Ý kiến về dự thảo kế hoạch năm",
    "Tình hình an ninh trật tự trên địa bàn",
    "Đề xuất hỗ trợ sản xuất nông nghiệp",
)
CHAT_LINES = (
    "Điểm cầu chúng tôi nghe rõ.",
    "Xin cảm ơn chủ tọa.",
    "Đề nghị gửi tài liệu cuộc họp cho các điểm cầu.",
    "Đường truyền tại điểm cầu ổn định.",
    "Chúng tôi đã nhận được tài liệu.",
)


class Habits(msgspec.Struct, frozen=True):
    """How often things happen, mean seconds between them for one endpoint; 0: never."""

    request_every_s: float = 180.0
    give_up_after_s: float = 600.0
    speak_for_s: float = 25.0
    chat_every_s: float = 600.0


QUIET = Habits(0.0, 0.0, 0.0, 0.0)
"""Never asks, never chats, keeps the floor until it is withdrawn."""


class Behaviour:
    """Decides for one endpoint. ``next_deadline`` is when ``decide`` wants to be asked again."""

    def __init__(self, habits: Habits, seed: int, now: float) -> None:
        self._habits = habits
        # Not for secrets: the same seed gives the same meeting again.
        self._random = random.Random(seed)  # noqa: S311 - a bot's whims, seeded so that a run repeats; no secret
        self._request_at = self._after(habits.request_every_s, now)
        self._chat_at = self._after(habits.chat_every_s, now)
        self._release_at: float | None = None
        self._give_up_at: float | None = None

    def next_deadline(self) -> float:
        deadlines = (self._request_at, self._chat_at, self._release_at, self._give_up_at)
        return min((deadline for deadline in deadlines if deadline is not None), default=float("inf"))

    def observe(self, *, speaking: bool, queued: bool, now: float) -> None:
        """Take note of where the own seat stands: a floor just gained is given back after a while."""
        if speaking and self._release_at is None:
            self._release_at = self._after(self._habits.speak_for_s, now)
        if not speaking:
            self._release_at = None
        if queued and self._give_up_at is None:
            self._give_up_at = self._after(self._habits.give_up_after_s, now)
        if not queued:
            self._give_up_at = None
        if (speaking or queued) and self._request_at is not None:
            self._request_at = None
        elif not speaking and not queued and self._request_at is None:
            self._request_at = self._after(self._habits.request_every_s, now)

    def decide(self, now: float) -> PersonCommand | None:
        """What to ask for now; None: nothing. Call again until None."""
        if self._release_at is not None and now >= self._release_at:
            self._release_at = None
            return ReleaseFloor()
        if self._give_up_at is not None and now >= self._give_up_at:
            self._give_up_at = None
            return CancelRequest()
        if self._request_at is not None and now >= self._request_at:
            self._request_at = self._after(self._habits.request_every_s, now)
            return RequestFloor(self._random.choice(SUBJECTS))
        if self._chat_at is not None and now >= self._chat_at:
            self._chat_at = self._after(self._habits.chat_every_s, now)
            return Say(self._random.choice(CHAT_LINES))
        return None

    def _after(self, mean_s: float, now: float) -> float | None:
        return now + self._random.uniform(0.3, 1.7) * mean_s if mean_s > 0 else None

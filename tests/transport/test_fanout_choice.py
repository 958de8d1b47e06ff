"""Which fan-out a server takes, and that it says so."""

import logging
import sys
from collections import Counter

import pytest

from server.clock import SystemClock
from server.config import FanoutChoice
from server.errors import Unavailable
from server.transport.fanout import Fanout
from server.transport.fanout_choice import choose_fanout
from server.transport.udp import UdpPort


def choose(choice: FanoutChoice) -> Fanout:
    drops: Counter[str] = Counter()
    return choose_fanout(choice, UdpPort(SystemClock(), drops, lambda *_: None, lambda: None), drops)


@pytest.mark.parametrize("choice", ["auto", "c"])
def test_c_where_it_was_built(choice: FanoutChoice) -> None:
    pytest.importorskip("server.transport.native_fanout", exc_type=ImportError)
    assert choose(choice).implementation == "c"


def test_python_where_it_is_asked_for() -> None:
    assert choose("python").implementation == "python"


def test_without_a_compiler_the_python_one_serves_and_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "server.transport.native_fanout", None)
    with caplog.at_level(logging.WARNING):
        assert choose("auto").implementation == "python"
    assert "Python fan-out" in caplog.text


def test_insisting_on_c_without_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "server.transport.native_fanout", None)
    with pytest.raises(Unavailable) as refused:
        choose("c")
    assert refused.value.code == "fanout_not_built"

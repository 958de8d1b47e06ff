"""Which fan-out a server takes, and that it says so."""

import logging
import sys
from collections import Counter

import pytest

from server.clock import SystemClock
from server.config import FanoutChoice
from server.errors import Unavailable
from server.transport.carriers import Carrier, choose_carrier
from server.transport.udp import UdpPort


def implementation(carrier: Carrier) -> str:
    drops: Counter[str] = Counter()
    return carrier.open_fanout(UdpPort(SystemClock(), drops, lambda *_: None, lambda: None), drops).implementation


@pytest.mark.parametrize("choice", ["auto", "c"])
def test_c_where_it_was_built(choice: FanoutChoice) -> None:
    pytest.importorskip("server.transport.native_fanout", exc_type=ImportError)
    assert implementation(choose_carrier(choice)) == "c"


def test_python_where_it_is_asked_for() -> None:
    assert implementation(choose_carrier("python")) == "python"


def test_without_a_compiler_the_python_one_serves_and_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "server.transport.native_fanout", None)
    with caplog.at_level(logging.WARNING):
        assert implementation(choose_carrier("auto")) == "python"
    assert "Python fan-out" in caplog.text


def test_insisting_on_c_without_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "server.transport.native_fanout", None)
    with pytest.raises(Unavailable) as refused:
        choose_carrier("c")
    assert refused.value.code == "fanout_not_built"

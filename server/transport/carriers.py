"""Who carries the media: C where it was built, else Python, which says so in the log."""

import logging
import socket
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from server.config import FanoutChoice
from server.errors import Unavailable
from server.transport.fanout import Fanout, PythonFanout
from server.transport.udp import Intake, PythonIntake, UdpPort

logger = logging.getLogger(__name__)


class Carrier(NamedTuple):
    """The way in and the way out."""

    open_intake: Callable[[socket.socket, Counter[str]], Intake]
    open_fanout: Callable[[UdpPort, Counter[str]], Fanout]


def choose_carrier(choice: FanoutChoice) -> Carrier:
    """Raises Unavailable("fanout_not_built") where ``c`` is asked for and cannot be had."""
    python = Carrier(PythonIntake, lambda port, drops: PythonFanout(port.send_run, drops))
    if choice == "python":
        return python
    try:
        from server.transport.native_fanout import NativeFanout
        from server.transport.native_intake import NativeIntake
    except ImportError as error:
        if choice == "c":
            raise Unavailable("fanout_not_built", f"The C fan-out cannot be used: {error}") from error
        logger.warning("media goes out by the Python fan-out, at more CPU a packet: no C one (%s)", error)
        return python
    return Carrier(NativeIntake, NativeFanout)

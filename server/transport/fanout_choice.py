"""Which fan-out carries the media: the C one where it was built, else the Python one, which says so in the log."""

import logging
from collections import Counter

from server.config import FanoutChoice
from server.errors import Unavailable
from server.transport.fanout import Fanout, PythonFanout
from server.transport.udp import UdpPort

logger = logging.getLogger(__name__)


def choose_fanout(choice: FanoutChoice, udp: UdpPort, drops: Counter[str]) -> Fanout:
    """Raises Unavailable("fanout_not_built") where ``c`` is asked for and cannot be had."""
    if choice == "python":
        return PythonFanout(udp.send_run, drops)
    try:
        from server.transport.native_fanout import NativeFanout
    except ImportError as error:
        if choice == "c":
            raise Unavailable("fanout_not_built", f"The C fan-out cannot be used: {error}") from error
        logger.warning("media goes out by the Python fan-out, at more CPU a packet: no C one (%s)", error)
        return PythonFanout(udp.send_run, drops)
    return NativeFanout(udp, drops)

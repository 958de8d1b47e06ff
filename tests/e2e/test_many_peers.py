"""A whole province in one meeting: 160 light virtual peers join at one instant and receive (issue item 6)."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from server.bots.endpoint import Reception
from server.room.views import Presence, SeatView
from tests.bench.swarm import Swarm
from tests.support.server_process import ServerProcess

# Not under coverage: 160 peers in this process are load enough for two cores.
pytestmark = [pytest.mark.e2e, pytest.mark.no_cover, pytest.mark.timeout(180)]

PEERS = 160


async def test_160_peers_join_one_meeting_and_receive(tmp_path: Path) -> None:
    """Each with its own WebSocket and media connection; everybody sees the first picture, hears the main endpoint."""
    async with ServerProcess(tmp_path, endpoints=PEERS) as server, Swarm(server) as swarm:
        await swarm.join_all(range(PEERS), Reception(audio_slots=1, video_slots=1, shown_height=180))
        assert await swarm.until_all_receive(60.0) == PEERS

        main = swarm.endpoints[0]
        assert main.seat_id == server.demo.endpoints[0].id
        assert main.connection is not None
        assert await swarm.until_all_hear(main.connection, 20.0) == PEERS - 1
        assert all(endpoint.socket is not None and not endpoint.socket.closed.is_set() for endpoint in swarm.endpoints)
        last = swarm.endpoints[-1].socket
        assert last is not None
        await last.until(lambda room: count_present(room.seats.values()) == PEERS, timeout_s=20)


def count_present(seats: Iterable[SeatView]) -> int:
    return sum(seat.presence is Presence.PRESENT for seat in seats)

"""One publisher to 160 viewers, and a whole province in one meeting: CPU, loss, delay, memory, join time."""

import asyncio
import os
import tempfile
from pathlib import Path

from server.bots import offer
from server.bots.connection import MediaConnection
from server.bots.endpoint import Reception
from server.bots.loops import encode_tone
from server.bots.players import AudioPlayer
from server.bots.publisher import SINGLE, plan_offer
from server.bots.streams import RtpStream
from server.config import FanoutChoice
from tests.bench.machine import cpu_seconds, percentile, resident_megabytes, split_cores
from tests.bench.report import say
from tests.bench.stamped import StampedVideo, stamp_of, stamped_stream
from tests.bench.swarm import Swarm, Totals
from tests.support.metrics import read_metrics
from tests.support.server_process import ServerProcess

VIDEO_BPS = 1_500_000
SETTLE_S = 2.0
PACKETS_OUT = "diemcau_rtp_packets_out_total"


class Window:
    """A steady stretch: what server, viewers and load generator did in it."""

    def __init__(self, swarm: Swarm) -> None:
        self._swarm = swarm

    async def measure(self, seconds: float) -> None:
        """Let ``seconds`` pass and keep the differences."""
        swarm, pid = self._swarm, self._swarm.server.pid
        before = await read_metrics(swarm.http, swarm.server.url)
        totals, began = swarm.totals(), swarm.clock.now()
        server_s, own_s = cpu_seconds(pid), cpu_seconds(os.getpid())
        await asyncio.sleep(seconds)
        self.server_cpu_s, self.own_cpu_s = cpu_seconds(pid) - server_s, cpu_seconds(os.getpid()) - own_s
        self.seconds = swarm.clock.now() - began
        self.received: Totals = swarm.totals().since(totals)
        after = await read_metrics(swarm.http, swarm.server.url)
        self.packets_out = after[PACKETS_OUT] - before[PACKETS_OUT]

    def say_load(self, scenario: str, **details: object) -> None:
        """CPU a packet, loss, busy shares, memory."""
        say(
            f"{scenario}_cpu_per_forwarded_packet",
            1e6 * self.server_cpu_s / max(1.0, self.packets_out),
            "µs",
            packets_per_s=self.packets_out / self.seconds,
            server_core_busy_percent=100 * self.server_cpu_s / self.seconds,
            load_generator_busy_percent=100 * self.own_cpu_s / self.seconds,
            **details,
        )
        say(f"{scenario}_loss", self.received.loss_percent, "%", packets=self.received.packets, lost=self.received.lost)
        say(f"{scenario}_memory", resident_megabytes(self._swarm.server.pid), "MB")


async def run_one_to_many(viewers: int, seconds: float, fanout: FanoutChoice = "auto") -> None:
    """The main endpoint publishes 1.5 Mbit/s of video and Opus over WHIP; everybody watches over WHEP."""
    server_cores, own_cores = split_cores()
    os.sched_setaffinity(0, own_cores)
    with tempfile.TemporaryDirectory(prefix="diemcau-bench-") as folder:
        config = f'[media]\nfanout = "{fanout}"\n'
        server = ServerProcess(Path(folder), endpoints=viewers + 1, cpus=server_cores, config=config)
        async with server, Swarm(server) as swarm:
            publisher = await swarm.open("whip", 0, plan_offer(SINGLE, audio_slots=0, video_slots=0, screen=False))
            _speak_and_show(swarm, publisher)
            watching = await swarm.watch_all(range(1, viewers + 1))
            delays_s: list[float] = []
            sampled = [connection for connection in watching if connection.kernel_times]
            for connection in sampled:
                connection.listen(connection.plan.video_mids[0], lambda data, at: _note_delay(delays_s, data, at))
            await swarm.until_all_receive(10.0)
            await asyncio.sleep(SETTLE_S)
            delays_s.clear()
            window = Window(swarm)
            await window.measure(seconds)
            delays_ms = [1_000 * delay for delay in delays_s]
            window.say_load("one_to_many", viewers=viewers, video_bps=VIDEO_BPS, fanout=fanout)
            for name, share in (("p50", 0.5), ("p99", 0.99)):
                delay = percentile(delays_ms, share)
                say(f"one_to_many_delay_{name}", delay, "ms", samples=len(delays_ms), sampled_viewers=len(sampled))


async def run_province(endpoints: int, seconds: float) -> None:
    """All endpoints join one meeting at one instant, each with WebSocket, camera and microphone, and stay a while."""
    server_cores, own_cores = split_cores()
    os.sched_setaffinity(0, own_cores)
    with tempfile.TemporaryDirectory(prefix="diemcau-bench-") as folder:
        server = ServerProcess(Path(folder), endpoints=endpoints, cpus=server_cores)
        async with server, Swarm(server) as swarm:
            before_mb = resident_megabytes(server.pid)
            began, cpu_s = swarm.clock.now(), cpu_seconds(server.pid)
            await swarm.join_all(range(endpoints), Reception(audio_slots=3, video_slots=1, shown_height=180))
            joined_s = swarm.clock.now() - began
            served = await swarm.until_all_receive(30.0)
            receiving_s = swarm.clock.now() - began
            cpu_ms = 1_000 * (cpu_seconds(server.pid) - cpu_s) / endpoints
            say(
                "province_join",
                joined_s,
                "s",
                endpoints=endpoints,
                server_cpu_ms_per_endpoint=cpu_ms,
                retries=swarm.retries,
            )
            say("province_join_until_all_receive", receiving_s, "s", endpoints=endpoints, receiving=served)
            after_mb = resident_megabytes(server.pid)
            say("province_memory_per_endpoint", (after_mb - before_mb) / endpoints, "MB")
            await asyncio.sleep(SETTLE_S)
            window = Window(swarm)
            await window.measure(seconds)
            window.say_load("province", endpoints=endpoints)


def _speak_and_show(swarm: Swarm, publisher: MediaConnection) -> None:
    video = stamped_stream(publisher)
    player = StampedVideo(video, publisher.send_rtp, swarm.clock, VIDEO_BPS)
    publisher.add_stream(video, player.restart)
    _, ssrc, _ = publisher.plan.sends[0].streams[0]
    voice = RtpStream(ssrc, offer.OPUS, 48_000, mid=publisher.plan.sends[0].mid)
    publisher.add_stream(voice)
    now = swarm.clock.now()
    speaker = AudioPlayer(encode_tone(440), voice, publisher.send_rtp, now)
    speaker.on = True
    swarm.pacer.add(player, now)
    swarm.pacer.add(speaker, now)


def _note_delay(delays_s: list[float], packet: bytes, arrived_at: float) -> None:
    sent_at = stamp_of(packet)
    if sent_at is not None:
        delays_s.append(arrived_at - sent_at)

"""What /metrics tells (Prometheus text format). Read when scraped; nothing is counted twice."""

from collections.abc import Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from server.hub import Hub
from server.media import MediaPlane


class ServerCollector(Collector):
    """The media plane's and the hub's own counters as ``diemcau_*`` families."""

    def __init__(self, media: MediaPlane, hub: Hub) -> None:
        self._media = media
        self._hub = hub

    def collect(self) -> Iterator[Metric]:
        transport = self._media.transport
        yield CounterMetricFamily("diemcau_rtp_packets_in", "Datagrams received", value=transport.packets_in)
        yield CounterMetricFamily("diemcau_rtp_packets_out", "Datagrams sent", value=transport.packets_out)
        yield CounterMetricFamily("diemcau_rtp_octets_in", "Octets received", value=transport.octets_in)
        yield CounterMetricFamily("diemcau_rtp_octets_out", "Octets sent", value=transport.octets_out)
        dropped = CounterMetricFamily("diemcau_rtp_packets_dropped", "Packets dropped, by reason", labels=["reason"])
        for reason, count in sorted(self._media.drops().items()):
            dropped.add_metric([reason], count)
        yield dropped
        yield InfoMetricFamily(
            "diemcau_fanout",
            "What copies packets to viewers",
            value={"implementation": transport.fanout.implementation},
        )
        yield GaugeMetricFamily("diemcau_media_peers", "Media connections", value=self._media.peers)
        yield GaugeMetricFamily("diemcau_meetings", "Running meetings", value=self._hub.meetings)
        yield from self._recordings()
        yield GaugeMetricFamily("diemcau_open_files", "Open file descriptors", value=_open_files())

    def _recordings(self) -> Iterator[Metric]:
        """Of the recordings that run now, together."""
        running = tuple(self._hub.recordings().values())
        yield GaugeMetricFamily("diemcau_recordings", "Recordings that run", value=len(running))
        for name, text, value in (
            ("backlog_octets", "Octets not yet known to be on the disk", sum(it.backlog_octets for it in running)),
            ("dropped_packets", "Packets that were never written", sum(it.dropped_packets for it in running)),
            ("written_octets", "Octets written", sum(it.written_octets for it in running)),
            ("writer_restarts", "Writers that had to be replaced", sum(it.restarts for it in running)),
        ):
            yield GaugeMetricFamily(f"diemcau_recording_{name}", text, value=value)


def make_registry(media: MediaPlane, hub: Hub) -> CollectorRegistry:
    """A registry of this server's own; nothing global."""
    registry = CollectorRegistry()
    registry.register(ServerCollector(media, hub))
    ProcessCollector(registry=registry)
    return registry


def _open_files() -> int:
    listing = Path("/proc/self/fd")
    return sum(1 for _ in listing.iterdir()) if listing.exists() else 0

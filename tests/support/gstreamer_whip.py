"""A WHIP publisher on GStreamer's webrtcbin. Runs under Debian's own Python (package python3-gi), not in our .venv:

    /usr/bin/python3 gstreamer_whip.py URL TOKEN FOLDER_OF_JPEGS TONE_HZ

FOLDER holds frame-00.jpg, frame-01.jpg, ... It says ``connected`` on stdout once media may flow, and ends the session
at the end of its stdin. webrtcbin's certificate is RSA: the server must live with that.
"""

import sys
import urllib.request
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import urljoin

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstWebRTC", "1.0")
gi.require_version("GstSdp", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # noqa: E402  # only after require_version

PIPELINE = (
    "multifilesrc location={folder}/frame-%02d.jpg start-index=0 stop-index={last} loop=true"
    " caps=image/jpeg,framerate=15/1 ! jpegdec ! videoconvert ! queue"
    " ! vp8enc deadline=1 keyframe-max-dist=30 target-bitrate=500000 cpu-used=8 ! rtpvp8pay picture-id-mode=15-bit"
    " ! application/x-rtp,media=video,encoding-name=VP8,payload=96 ! identity sync=true ! peer. "
    "audiotestsrc is-live=true freq={tone} volume=0.25 ! audioconvert ! audioresample ! queue ! opusenc ! rtpopuspay"
    " ! application/x-rtp,media=audio,encoding-name=OPUS,payload=97 ! peer. "
    "webrtcbin name=peer bundle-policy=max-bundle"
)


def tell(stream: TextIO, line: str) -> None:
    stream.write(line + "\n")
    stream.flush()


class WhipPublisher:
    """One session from offer to DELETE."""

    def __init__(self, url: str, token: str, folder: Path, tone_hz: int) -> None:
        self.url = url
        self.token = token
        self.location = ""
        self.loop = GLib.MainLoop()
        last = len(list(folder.glob("frame-*.jpg"))) - 1
        self.pipeline = Gst.parse_launch(PIPELINE.format(folder=folder, last=last, tone=tone_hz))
        self.peer = self.pipeline.get_by_name("peer")
        self.peer.connect("on-negotiation-needed", self.on_negotiation_needed)
        self.peer.connect("notify::ice-gathering-state", self.on_gathering_state)
        self.peer.connect("notify::connection-state", self.on_connection_state)
        bus = self.pipeline.get_bus()
        bus.add_signal_watch()
        bus.connect("message::error", self.on_error)

    def run(self) -> None:
        self.pipeline.set_state(Gst.State.PLAYING)
        GLib.io_add_watch(sys.stdin, GLib.IO_HUP | GLib.IO_IN, self.on_stdin)
        self.loop.run()
        if self.location:
            self.request("DELETE", self.location)
        self.pipeline.set_state(Gst.State.NULL)

    def on_negotiation_needed(self, peer: Any) -> None:
        for index in range(2):
            peer.emit("get-transceiver", index).set_property(
                "direction", GstWebRTC.WebRTCRTPTransceiverDirection.SENDONLY
            )
        peer.emit("create-offer", None, Gst.Promise.new_with_change_func(self.on_offer))

    def on_offer(self, promise: Any) -> None:
        reply = promise.get_reply()  # it owns the offer, so it must outlive its use
        self.peer.emit("set-local-description", reply.get_value("offer"), Gst.Promise.new())

    def on_gathering_state(self, peer: Any, _spec: Any) -> None:
        if peer.get_property("ice-gathering-state") == GstWebRTC.WebRTCICEGatheringState.COMPLETE:
            GLib.idle_add(self.send_offer)

    def send_offer(self) -> bool:
        """The whole offer with its candidates, without trickling."""
        sdp = self.peer.get_property("local-description").sdp.as_text()
        answer, headers = self.request("POST", self.url, sdp.encode())
        self.location = urljoin(self.url, headers["Location"])
        _, message = GstSdp.SDPMessage.new_from_text(answer.decode())
        description = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.ANSWER, message)
        self.peer.emit("set-remote-description", description, Gst.Promise.new())
        return False

    def on_connection_state(self, peer: Any, _spec: Any) -> None:
        state = peer.get_property("connection-state")
        tell(sys.stdout, state.value_nick)

    def on_error(self, _bus: Any, message: Any) -> None:
        tell(sys.stderr, f"error {message.parse_error()}")
        self.loop.quit()

    def on_stdin(self, *_arguments: Any) -> bool:
        self.loop.quit()
        return False

    def request(self, method: str, url: str, body: bytes | None = None) -> tuple[bytes, Any]:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/sdp"}
        request = urllib.request.Request(url, data=body, headers=headers, method=method)  # noqa: S310  # our own test server
        with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310
            return response.read(), response.headers


if __name__ == "__main__":
    Gst.init(None)
    WhipPublisher(sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4])).run()

"""Peers that are not ours: aiortc, libwebrtc and Chromium call the MediaServer, and hear or see what it sends."""

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from fractions import Fraction

import numpy as np
import pytest
import webrtc
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCSessionDescription
from aiortc.codecs.opus import OpusEncoder
from aiortc.rtp import RtcpPacket, RtcpRrPacket
from av import AudioFrame
from playwright.async_api import async_playwright

from server.rtp.packet import RtpView, parse
from server.sfu.flows import Flow
from server.sfu.ports import SlotSpec, UplinkSpec
from server.transport.handler import OpenedPeer
from server.transport.sdp import Purpose
from server.transport.server import MediaServer
from tests.support.browser import CHROMIUM
from tests.transport.calling import Recorder, media_server, rtp_packet

RATE_HZ = 48_000
TONE_HZ = 600.0
FRAME_SAMPLES = 960


class Tone(MediaStreamTrack):
    """A sine, a frame every 20 ms."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._position = 0
        self._began = asyncio.get_running_loop().time()

    async def recv(self) -> AudioFrame:
        due = self._began + self._position / RATE_HZ
        await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))
        frame = tone_frame(self._position)
        self._position += FRAME_SAMPLES
        return frame


def tone_frame(position: int) -> AudioFrame:
    phases = (position + np.arange(FRAME_SAMPLES)) * (2 * math.pi * TONE_HZ / RATE_HZ)
    samples = (np.sin(phases) * 12_000).astype(np.int16)
    frame = AudioFrame.from_ndarray(np.repeat(samples, 2).reshape(1, -1), format="s16", layout="stereo")
    frame.sample_rate = RATE_HZ
    frame.pts = position
    frame.time_base = Fraction(1, RATE_HZ)
    return frame


def is_tone(samples: np.ndarray) -> bool:
    """The tone is the loudest there is (within an FFT bin), and not silence."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    loudest_hz = float(np.argmax(spectrum)) * RATE_HZ / len(samples)
    return float(np.max(np.abs(samples))) > 0.05 and abs(loudest_hz - TONE_HZ) <= 2 * RATE_HZ / len(samples)


class Echo(Recorder):
    """Sends what comes in on one uplink back on a slot of the same peer, through the fan-out, as the router would."""

    def __init__(self) -> None:
        super().__init__()
        self.server: MediaServer | None = None
        self._flow: Flow | None = None
        self._takes: Callable[[RtpView], bool] = lambda _: False

    def connect(self, opened: OpenedPeer, uplink: UplinkSpec, slot: SlotSpec) -> None:
        codec, taken = slot.codecs[0], uplink.codecs[0]
        self._flow = Flow(
            opened.key,
            slot.ssrc,
            codec.payload_type,
            vp8=codec.name == "vp8",
            mid_id=slot.extensions.mid or 0,
            mid=slot.mid.encode(),
            abs_send_time_id=slot.extensions.abs_send_time or 0,
        )
        source: list[int] = list(uplink.ssrcs)

        def takes(view: RtpView) -> bool:
            if view.payload_type != taken.payload_type:
                return False
            rid = view.extension(uplink.extensions.rid) if uplink.extensions.rid else None
            if not source and rid == uplink.rids[0].encode():
                source.append(view.ssrc)
            return view.ssrc in source

        self._takes = takes

    def on_rtp(self, peer: int, data: bytes, now: float) -> None:
        super().on_rtp(peer, data, now)
        view = parse(data)
        assert view is not None
        if self.server is not None and self._flow is not None and self._takes(view):
            self.server.fanout.forward(view, (self._flow,), now)

    def on_drained(self) -> None:
        if self.server is not None:
            self.server.fanout.flush()
        super().on_drained()

    def reported(self) -> set[int]:
        """SSRCs that clients reported on (RR)."""
        return {
            report.ssrc
            for _, compound in self.rtcp
            for packet in RtcpPacket.parse(compound)
            if isinstance(packet, RtcpRrPacket)
            for report in packet.reports
        }


async def test_aiortc_hears_itself() -> None:
    echo = Echo()
    async with media_server(echo) as server, aiortc_client() as client:
        echo.server = server
        client.addTransceiver(Tone(), direction="sendonly")
        receiver = client.addTransceiver("audio", direction="recvonly").receiver
        await client.setLocalDescription(await client.createOffer())
        opened = server.open_peer(client.localDescription.sdp, {}, Purpose.SESSION)
        echo.connect(opened, opened.uplinks[0], opened.slots[0])
        await client.setRemoteDescription(RTCSessionDescription(opened.answer, "answer"))
        async with asyncio.timeout(20):
            heard = np.zeros(0, np.float32)
            while not (len(heard) >= 4_800 and is_tone(heard[-4_800:])):
                frame = await receiver.track.recv()
                assert isinstance(frame, AudioFrame)
                heard = np.append(heard, frame.to_ndarray().reshape(-1)[::2].astype(np.float32) / 32_768)
        await echo.until(lambda: opened.slots[0].ssrc in echo.reported(), within_s=15)
        await client.close()
        await echo.until(lambda: echo.closed == [(opened.key, "peer_closed")])


@asynccontextmanager
async def aiortc_client() -> AsyncIterator[RTCPeerConnection]:
    client = RTCPeerConnection()
    try:
        yield client
    finally:
        await client.close()


async def test_libwebrtc_hears_what_its_slot_carries() -> None:
    handler = Recorder()
    async with media_server(handler) as server:
        client = webrtc.RTCPeerConnection()
        receive = webrtc.RTCRtpTransceiverInit(direction=webrtc.RTCRtpTransceiverDirection.recvonly)
        track = client.add_transceiver(webrtc.MediaType.audio, receive).receiver.track
        await client.set_local_description(await client.create_offer())
        assert client.local_description is not None
        opened = server.open_peer(client.local_description.sdp, {}, Purpose.VIEW)
        answer = webrtc.RTCSessionDescriptionInit(type="answer", sdp=opened.answer)
        await client.set_remote_description(answer)
        await handler.until(lambda: handler.connected == [opened.key])
        sending = asyncio.ensure_future(send_tone(server, opened))
        try:
            async with asyncio.timeout(20):
                await listen_for_tone(track)
        finally:
            sending.cancel()
            client.close()
        await handler.until(lambda: handler.closed)


async def send_tone(server: MediaServer, opened: OpenedPeer) -> None:
    slot, encoder, source = opened.slots[0], OpusEncoder(), Tone()
    sequence = 0
    while True:
        payloads, _ = encoder.encode(await source.recv())
        for payload in payloads:
            view = parse(rtp_packet(sequence, payload_type=slot.codecs[0].payload_type, payload=payload))
            assert view is not None
            server.fanout.forward(view, (Flow(opened.key, slot.ssrc, slot.codecs[0].payload_type),), 0.0)
            sequence += 1
        server.fanout.flush()


async def listen_for_tone(track: webrtc.MediaStreamTrack) -> None:
    processor = webrtc.MediaStreamTrackProcessor(webrtc.MediaStreamTrackProcessorInit(track=track))
    heard = np.zeros(0, np.float32)
    async for data in processor.readable:
        assert isinstance(data, webrtc.AudioData)
        options = webrtc.AudioDataCopyToOptions(plane_index=0, format=webrtc.AudioSampleFormat.f32_planar)
        buffer = bytearray(data.allocation_size(options))
        data.copy_to(buffer, options)
        data.close()
        heard = np.append(heard, np.frombuffer(buffer, np.float32))[-4_800:]
        if len(heard) == 4_800 and is_tone(heard):
            return
    raise AssertionError("the track ended without the tone")


CHROMIUM_CALL = """async () => {
  const canvas = document.createElement('canvas');
  canvas.width = 640; canvas.height = 360;
  const context = canvas.getContext('2d');
  let turn = 0;
  setInterval(() => { context.fillStyle = `hsl(${turn += 7} 80% 50%)`; context.fillRect(0, 0, 640, 360); }, 33);
  const camera = canvas.captureStream(30).getVideoTracks()[0];
  window.peer = new RTCPeerConnection();
  peer.addTransceiver(camera, {direction: 'sendonly', sendEncodings: [
    {rid: 'q', scaleResolutionDownBy: 4}, {rid: 'h', scaleResolutionDownBy: 2}, {rid: 'f'}]});
  peer.addTransceiver('audio', {direction: 'recvonly'});
  peer.addTransceiver('video', {direction: 'recvonly'});
  await peer.setLocalDescription();
  return peer.localDescription.sdp;
}"""
CHROMIUM_ANSWERED = """(sdp) => peer.setRemoteDescription({type: 'answer', sdp})"""
CHROMIUM_SEES = """async () => {
  const all = [...(await peer.getStats()).values()];
  const seen = all.find((entry) => entry.type === 'inbound-rtp' && entry.kind === 'video');
  return seen ? [seen.framesDecoded, seen.frameWidth] : [0, 0];
}"""


@pytest.mark.e2e
async def test_chromium_sees_its_lowest_layer() -> None:
    echo = Echo()
    async with media_server(echo) as server, async_playwright() as playwright:
        echo.server = server
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = await browser.new_page()
        opened = server.open_peer(await page.evaluate(CHROMIUM_CALL), {}, Purpose.SESSION)
        camera, picture = opened.uplinks[0], opened.slots[1]
        assert camera.rids == ("q", "h", "f")
        echo.connect(opened, camera, picture)
        await page.evaluate(CHROMIUM_ANSWERED, opened.answer)
        await echo.until(lambda: picture.ssrc in echo.reported(), within_s=30)
        frames, width = await page.evaluate(CHROMIUM_SEES)
        assert frames > 0
        assert width in (80, 160), "the lowest layer is a quarter of 640, or an eighth while the estimate is low"
        await browser.close()
        assert server.drops["srtp_auth"] == 0

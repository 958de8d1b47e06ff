"""WHEP viewers that are not ours: aiortc, and libwebrtc (pip ``wrtc``). Both say whose picture and tone they get."""

import asyncio
import contextlib
from collections import deque
from types import TracebackType
from typing import Any, Self

import aiohttp
import numpy as np
import webrtc
from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av import AudioFrame, VideoFrame

from server.bots.media_http import MediaSession, open_media_session
from tests.support import pictures, tones
from tests.support.senses import Attention

_KEPT_S = 0.4


class ForeignViewer:
    """What both have in common: the HTTP exchange and what was seen and heard lately."""

    def __init__(
        self, http: aiohttp.ClientSession, url: str, meeting_id: str, token: str, audio_slots: int = 1
    ) -> None:
        self._audio_slots = audio_slots
        self._http = http
        self._target = (url, meeting_id, token)
        self._session: MediaSession | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._sound: dict[str, deque[tuple[float, int, tones.Pcm]]] = {}
        self.attention = Attention()
        self.sees: int | None = None
        self.size: tuple[int, int] | None = None
        self.pictures = 0

    async def __aenter__(self) -> Self:
        await self._open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.delete()
        await self._close()

    async def until_sees(self, pattern_index: int, timeout_s: float = 15.0) -> None:
        """Raises TimeoutError."""
        await self.attention.until(lambda: self.sees == pattern_index, timeout_s, f"pattern {pattern_index}")

    async def until_hears(self, frequency_hz: float, timeout_s: float = 15.0) -> None:
        """Raises TimeoutError."""
        await self.attention.until(lambda: self.hears(frequency_hz), timeout_s, f"the tone of {frequency_hz} Hz")

    async def until_silent(self, frequency_hz: float, timeout_s: float = 15.0) -> None:
        """Raises TimeoutError."""
        await self.attention.until(lambda: not self.hears(frequency_hz), timeout_s, f"no {frequency_hz} Hz")

    def hears(self, frequency_hz: float) -> bool:
        """Is the tone in what one of the audio tracks said lately?"""
        now = asyncio.get_running_loop().time()
        for parts in self._sound.values():
            recent = [(rate_hz, samples) for at, rate_hz, samples in parts if now - at < _KEPT_S]
            if recent and tones.heard(np.concatenate([samples for _, samples in recent]), recent[0][0], frequency_hz):
                return True
        return False

    async def _exchange(self, offer_sdp: str) -> str:
        self._session = await open_media_session(self._http, *self._target, "whep", offer_sdp)
        return self._session.answer_sdp

    def _take_sound(self, track_id: str, rate_hz: int, samples: tones.Pcm) -> None:
        self._sound.setdefault(track_id, deque(maxlen=100)).append(
            (asyncio.get_running_loop().time(), rate_hz, samples)
        )
        self.attention.wake()

    def _take_picture(self, pixels: pictures.Pixels) -> None:
        self.pictures += 1
        self.size = (pixels.shape[1], pixels.shape[0])
        self.sees = pictures.recognise(pixels)
        self.attention.wake()

    async def _open(self) -> None:
        raise NotImplementedError

    async def _close(self) -> None:
        raise NotImplementedError


class AiortcViewer(ForeignViewer):
    """aiortc: another ICE, DTLS, jitter buffer and decoder, in Python. Takes VP8 and H.264."""

    async def _open(self) -> None:
        self._peer = RTCPeerConnection()
        for _ in range(self._audio_slots):
            self._peer.addTransceiver("audio", direction="recvonly")
        self._peer.addTransceiver("video", direction="recvonly")
        self._peer.on("track", lambda track: self._tasks.append(asyncio.ensure_future(self._watch(track))))
        await self._peer.setLocalDescription(await self._peer.createOffer())
        answer = await self._exchange(self._peer.localDescription.sdp)
        await self._peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))

    async def _close(self) -> None:
        await self._peer.close()

    async def _watch(self, track: MediaStreamTrack) -> None:
        with contextlib.suppress(MediaStreamError):
            while True:
                frame = await track.recv()
                if isinstance(frame, VideoFrame):
                    self._take_picture(np.asarray(frame.to_ndarray(format="rgb24"), np.uint8))
                elif isinstance(frame, AudioFrame):
                    samples = np.asarray(frame.to_ndarray(), np.float32).reshape(-1)[:: len(frame.layout.channels)]
                    self._take_sound(track.id, frame.sample_rate, np.asarray(samples / 32_768, np.float32))


class LibwebrtcViewer(ForeignViewer):
    """libwebrtc, the engine inside Chrome, without a browser around it. Takes VP8 (H.264 is not built in)."""

    async def _open(self) -> None:
        self._peer = webrtc.RTCPeerConnection()
        receive = webrtc.RTCRtpTransceiverInit(direction=webrtc.RTCRtpTransceiverDirection.recvonly)
        for kind in (*[webrtc.MediaType.audio] * self._audio_slots, webrtc.MediaType.video):
            track = self._peer.add_transceiver(kind, receive).receiver.track
            self._tasks.append(asyncio.ensure_future(self._watch(track)))
        await self._peer.set_local_description(await self._peer.create_offer())
        description = self._peer.local_description
        assert description is not None
        answer = await self._exchange(description.sdp)
        await self._peer.set_remote_description(webrtc.RTCSessionDescriptionInit(type="answer", sdp=answer))

    async def _close(self) -> None:
        self._peer.close()

    async def _watch(self, track: Any) -> None:
        processor = webrtc.MediaStreamTrackProcessor(webrtc.MediaStreamTrackProcessorInit(track=track))
        async for media in processor.readable:
            if isinstance(media, webrtc.VideoFrame):
                await self._take_video_frame(media)
            else:
                self._take_audio_data(track.id, media)
            media.close()

    async def _take_video_frame(self, frame: Any) -> None:
        options = webrtc.VideoFrameCopyToOptions(format=webrtc.VideoPixelFormat.RGBA)
        buffer = bytearray(frame.allocation_size(options))
        await frame.copy_to(buffer, options)
        width, height = frame.visible_rect.width, frame.visible_rect.height
        rgba = np.frombuffer(buffer, np.uint8).reshape(int(height), int(width), 4)
        self._take_picture(np.ascontiguousarray(rgba[:, :, :3]))

    def _take_audio_data(self, track_id: str, data: Any) -> None:
        options = webrtc.AudioDataCopyToOptions(plane_index=0, format=webrtc.AudioSampleFormat.f32_planar)
        buffer = bytearray(data.allocation_size(options))
        data.copy_to(buffer, options)
        self._take_sound(track_id, int(data.sample_rate), np.frombuffer(buffer, np.float32))

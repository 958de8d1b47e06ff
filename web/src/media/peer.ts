import type { AnsweredSlot, IceServer, OfferedTrack } from '../protocol/types.gen'

/** What the one offer contains. `publish` false: a watcher without a seat, who only receives. */
export interface PeerPlan {
  publish: boolean
  videoSlots: number
  audioSlots: number
  simulcast: boolean
  iceServers: readonly IceServer[]
}

/** The tracks there are when the offer is made; each may come later or be exchanged without a new offer. */
export interface LocalTracks {
  mic: MediaStreamTrack | null
  camera: MediaStreamTrack | null
}

/** A receive-only section: one unbroken stream, whatever the server feeds it with. */
export interface Slot {
  readonly mid: string
  readonly kind: 'audio' | 'video'
  readonly index: number
  readonly track: MediaStreamTrack
}

export interface PeerOffer {
  sdp: string
  tracks: OfferedTrack[]
}

/** Worst to best. Bit rates in bit/s; the best layer carries 720p. */
export const CAMERA_LAYERS: RTCRtpEncodingParameters[] = [
  { rid: 'q', scaleResolutionDownBy: 4, maxBitrate: 150_000 },
  { rid: 'h', scaleResolutionDownBy: 2, maxBitrate: 500_000 },
  { rid: 'f', scaleResolutionDownBy: 1, maxBitrate: 1_500_000 },
]
const CAMERA_SINGLE: RTCRtpEncodingParameters[] = [{ maxBitrate: 700_000 }]
const SCREEN_SINGLE: RTCRtpEncodingParameters[] = [{ maxBitrate: 2_000_000 }]

/** Codecs worth offering: everything else would only make the offer longer than the server takes. */
const VIDEO_CODECS = ['video/vp8', 'video/h264', 'video/rtx']
const AUDIO_CODECS = ['audio/opus']

/**
 * ONE peer connection with ONE offer. Sources are exchanged with `replaceTrack`, slots are fed by the server;
 * nothing is ever negotiated again. When the connection fails a new MediaPeer replaces this one.
 */
export class MediaPeer {
  readonly pc: RTCPeerConnection
  private senders: { mic: RTCRtpTransceiver; camera: RTCRtpTransceiver; screen: RTCRtpTransceiver } | null =
    null
  private receivers: RTCRtpTransceiver[] = []
  private layering: Promise<void> = Promise.resolve()

  constructor(
    private readonly plan: PeerPlan,
    onState: (state: RTCPeerConnectionState) => void,
    create: (configuration: RTCConfiguration) => RTCPeerConnection = (it) => new RTCPeerConnection(it),
  ) {
    this.pc = create({
      bundlePolicy: 'max-bundle',
      iceServers: asConfigured(plan.iceServers),
    })
    this.pc.onconnectionstatechange = () => onState(this.pc.connectionState)
  }

  /** Lay out every section there will ever be and return the offer. Called once. */
  async offer(local: LocalTracks): Promise<PeerOffer> {
    if (this.plan.publish) this.layOutSenders(local)
    for (let index = 0; index < this.plan.audioSlots; index += 1) this.layOutSlot('audio')
    for (let index = 0; index < this.plan.videoSlots; index += 1) this.layOutSlot('video')
    await this.pc.setLocalDescription(await this.pc.createOffer())
    return { sdp: this.pc.localDescription?.sdp ?? '', tracks: this.offeredTracks() }
  }

  /** Take the server's answer; returns the slots it will feed, in the order of the offer. */
  async accept(sdp: string, answered: readonly AnsweredSlot[]): Promise<Slot[]> {
    await this.pc.setRemoteDescription({ type: 'answer', sdp })
    const byMid = new Map(this.receivers.map((transceiver) => [transceiver.mid, transceiver]))
    return answered.flatMap(({ mid, kind, index }) => {
      const transceiver = byMid.get(mid)
      return transceiver ? [{ mid, kind, index, track: transceiver.receiver.track }] : []
    })
  }

  /**
   * Look for another way to the server for the media there is. Returns what to send as `restart_ice` (RFC 8840), null
   * while there is nothing to restart. The local offer behind it is never sent: nothing of it is new but credentials.
   * Called again before the answer came: that one is not coming any more.
   */
  async restartIce(): Promise<string | null> {
    if (!this.pc.remoteDescription) return null
    if (this.pc.signalingState !== 'stable') await this.pc.setLocalDescription({ type: 'rollback' })
    this.pc.restartIce()
    await this.pc.setLocalDescription()
    return credentialLines(this.pc.localDescription?.sdp ?? '')
  }

  /** Take the server's `ice_restarted`: the answer there is, with its new credentials and candidates. */
  async resumeIce(fragment: string): Promise<void> {
    if (this.pc.signalingState !== 'have-local-offer' || !this.pc.remoteDescription) return
    await this.pc.setRemoteDescription({
      type: 'answer',
      sdp: withFragment(this.pc.remoteDescription.sdp, fragment),
    })
  }

  /** Newer relay credentials, for the next restart. */
  setIceServers(servers: readonly IceServer[]): void {
    this.pc.setConfiguration({ ...this.pc.getConfiguration(), iceServers: asConfigured(servers) })
  }

  async setMic(track: MediaStreamTrack | null): Promise<void> {
    await this.senders?.mic.sender.replaceTrack(track)
  }

  async setCamera(track: MediaStreamTrack | null): Promise<void> {
    await this.senders?.camera.sender.replaceTrack(track)
  }

  async setScreen(track: MediaStreamTrack | null): Promise<void> {
    await this.senders?.screen.sender.replaceTrack(track)
  }

  /**
   * Switch off the layers of a picture that nobody takes; `rids` are those somebody does, `''` one without a name.
   * One change at a time: a browser refuses parameters that were read before the last change.
   */
  setLayers(mid: string, rids: readonly string[]): Promise<void> {
    this.layering = this.layering.then(() => this.switchLayers(mid, rids)).catch(() => undefined)
    return this.layering
  }

  private async switchLayers(mid: string, rids: readonly string[]): Promise<void> {
    const sender = Object.values(this.senders ?? {}).find((it) => it.mid === mid)?.sender
    if (!sender || this.pc.connectionState === 'closed') return
    const parameters = sender.getParameters()
    for (const encoding of parameters.encodings) encoding.active = rids.includes(encoding.rid ?? '')
    await sender.setParameters(parameters)
  }

  stats(): Promise<RTCStatsReport> {
    return this.pc.getStats()
  }

  close(): void {
    this.pc.onconnectionstatechange = null
    this.pc.close()
  }

  private layOutSenders(local: LocalTracks): void {
    const mic = this.pc.addTransceiver(local.mic ?? 'audio', { direction: 'sendonly' })
    const camera = this.pc.addTransceiver(local.camera ?? 'video', {
      direction: 'sendonly',
      sendEncodings: (this.plan.simulcast ? CAMERA_LAYERS : CAMERA_SINGLE).map((layer) => ({ ...layer })),
    })
    const screen = this.pc.addTransceiver('video', {
      direction: 'sendonly',
      sendEncodings: SCREEN_SINGLE.map((layer) => ({ ...layer })),
    })
    prefer(mic, 'audio')
    prefer(camera, 'video')
    prefer(screen, 'video')
    this.senders = { mic, camera, screen }
  }

  private layOutSlot(kind: 'audio' | 'video'): void {
    const transceiver = this.pc.addTransceiver(kind, { direction: 'recvonly' })
    prefer(transceiver, kind)
    this.receivers.push(transceiver)
  }

  private offeredTracks(): OfferedTrack[] {
    if (!this.senders) return []
    return Object.entries(this.senders).flatMap(([label, transceiver]) =>
      transceiver.mid === null ? [] : [{ mid: transceiver.mid, label: label as OfferedTrack['label'] }],
    )
  }
}

/** As the browser's configuration wants them. */
export function asConfigured(servers: readonly IceServer[]): RTCIceServer[] {
  return servers.map(({ urls, username, credential }) => ({
    urls: [...urls],
    ...(username !== null && { username }),
    ...(credential !== null && { credential }),
  }))
}

/** The ICE credentials of a description; in a bundle all sections have the same. */
function credentialLines(sdp: string): string {
  const lines = sdp.split(/\r?\n/)
  const first = (name: string) => lines.find((line) => line.startsWith(name)) ?? ''
  return `${first('a=ice-ufrag:')}\r\n${first('a=ice-pwd:')}\r\n`
}

/** An answer with the credentials and candidates of a fragment in place of its own. */
export function withFragment(answer: string, fragment: string): string {
  const fresh = fragment.split(/\r?\n/)
  const ufrag = fresh.find((line) => line.startsWith('a=ice-ufrag:'))
  const pwd = fresh.find((line) => line.startsWith('a=ice-pwd:'))
  const candidates = fresh.filter((line) => line.startsWith('a=candidate:'))
  const lines: string[] = []
  let replaced = false
  for (const line of answer.split(/\r?\n/)) {
    if (ufrag && line.startsWith('a=ice-ufrag:')) lines.push(ufrag)
    else if (pwd && line.startsWith('a=ice-pwd:')) lines.push(pwd)
    else if (!line.startsWith('a=candidate:')) lines.push(line)
    else if (!replaced) lines.push(...candidates)
    replaced ||= line.startsWith('a=candidate:')
  }
  return lines.join('\r\n')
}

/** VP8 first, then H.264. What a browser cannot be told it simply offers in full. */
function prefer(transceiver: RTCRtpTransceiver, kind: 'audio' | 'video'): void {
  if (typeof transceiver.setCodecPreferences !== 'function') return
  const wanted = kind === 'audio' ? AUDIO_CODECS : VIDEO_CODECS
  const codecs = RTCRtpReceiver.getCapabilities?.(kind)?.codecs ?? []
  const rank = (codec: RTCRtpCodec) => wanted.indexOf(codec.mimeType.toLowerCase())
  const chosen = codecs.filter((codec) => rank(codec) >= 0).sort((a, b) => rank(a) - rank(b))
  if (chosen.length > 0) transceiver.setCodecPreferences(chosen)
}

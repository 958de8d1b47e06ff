import { beforeEach, describe, expect, it, vi } from 'vitest'

import { MediaPeer, withFragment, type PeerPlan } from './peer'

class FakeTransceiver {
  mid: string | null = null
  sender = {
    replaceTrack: vi.fn().mockResolvedValue(undefined),
    getParameters: () => ({ encodings: structuredClone(this.init.sendEncodings ?? []) }),
    setParameters: vi.fn().mockResolvedValue(undefined),
  }
  receiver: { track: object }
  setCodecPreferences = vi.fn()

  constructor(
    readonly of: unknown,
    readonly init: RTCRtpTransceiverInit,
  ) {
    this.receiver = { track: { of } }
  }
}

class FakeConnection {
  transceivers: FakeTransceiver[] = []
  localDescription: { sdp: string } | null = null
  remoteDescription: { sdp: string } | null = null
  signalingState = 'stable'
  restartIce = vi.fn()
  getConfiguration = vi.fn().mockReturnValue({ bundlePolicy: 'max-bundle' })
  setConfiguration = vi.fn()
  rollbacks = 0
  connectionState = 'new'
  onconnectionstatechange: (() => void) | null = null
  createOffer = vi.fn().mockResolvedValue({ type: 'offer', sdp: 'v=0' })
  setRemoteDescription = vi.fn().mockResolvedValue(undefined)
  close = vi.fn()

  addTransceiver(of: unknown, init: RTCRtpTransceiverInit) {
    const transceiver = new FakeTransceiver(of, init)
    this.transceivers.push(transceiver)
    return transceiver
  }

  async setLocalDescription(description?: { type?: string; sdp: string }) {
    if (description?.type === 'rollback') {
      this.rollbacks += 1
      this.signalingState = 'stable'
      return
    }
    this.signalingState = 'have-local-offer'
    this.localDescription = description ?? { sdp: 'v=0\r\na=ice-ufrag:new1\r\na=ice-pwd:new-password\r\n' }
    this.transceivers.forEach((transceiver, index) => (transceiver.mid = String(index)))
  }
}

const CODECS = ['video/AV1', 'video/H264', 'video/rtx', 'video/VP8', 'video/ulpfec'].map((mimeType) => ({
  mimeType,
}))
let pc: FakeConnection
const states: string[] = []

function peer(over: Partial<PeerPlan> = {}): MediaPeer {
  const plan = { publish: true, videoSlots: 4, audioSlots: 3, simulcast: true, iceServers: [], ...over }
  return new MediaPeer(
    plan,
    (state) => states.push(state),
    () => pc as unknown as RTCPeerConnection,
  )
}

beforeEach(() => {
  pc = new FakeConnection()
  states.length = 0
  vi.stubGlobal('RTCRtpReceiver', {
    getCapabilities: (kind: string) => ({ codecs: kind === 'video' ? CODECS : [{ mimeType: 'audio/opus' }] }),
  })
})

describe('the one offer', () => {
  it('has every section there will ever be', async () => {
    const offer = await peer().offer({ mic: null, camera: null })
    expect(offer.tracks).toEqual([
      { mid: '0', label: 'mic' },
      { mid: '1', label: 'camera' },
      { mid: '2', label: 'screen' },
    ])
    const directions = pc.transceivers.map((it) => it.init.direction)
    expect(directions).toEqual([...Array(3).fill('sendonly'), ...Array(7).fill('recvonly')])
    expect(pc.createOffer).toHaveBeenCalledOnce()
  })

  it('sends the camera in three layers, worst first, and one on a weak machine', async () => {
    await peer().offer({ mic: null, camera: null })
    expect(pc.transceivers[1]?.init.sendEncodings?.map((it) => [it.rid, it.scaleResolutionDownBy])).toEqual([
      ['q', 4],
      ['h', 2],
      ['f', 1],
    ])
    pc = new FakeConnection()
    await peer({ simulcast: false }).offer({ mic: null, camera: null })
    expect(pc.transceivers[1]?.init.sendEncodings).toHaveLength(1)
  })

  it('prefers VP8, keeps H.264 and retransmission, and drops the rest', async () => {
    await peer().offer({ mic: null, camera: null })
    const preferred = pc.transceivers[1]?.setCodecPreferences.mock.calls[0]?.[0] as { mimeType: string }[]
    expect(preferred.map((it) => it.mimeType)).toEqual(['video/VP8', 'video/H264', 'video/rtx'])
  })

  it('of a watcher only receives', async () => {
    const offer = await peer({ publish: false }).offer({ mic: null, camera: null })
    expect(offer.tracks).toEqual([])
    expect(pc.transceivers).toHaveLength(7)
  })
})

describe('afterwards', () => {
  it('knows each slot by the mid of the answer and ignores unknown ones', async () => {
    const it = peer()
    await it.offer({ mic: null, camera: null })
    const slots = await it.accept('answer', [
      { mid: '6', kind: 'video', index: 0, ssrc: 1 },
      { mid: '99', kind: 'video', index: 1, ssrc: 2 },
    ])
    expect(slots.map((slot) => slot.mid)).toEqual(['6'])
    expect(slots[0]?.track).toBe(pc.transceivers[6]?.receiver.track)
  })

  it('exchanges tracks without another offer', async () => {
    const it = peer()
    await it.offer({ mic: null, camera: null })
    const track = {} as MediaStreamTrack
    await it.setMic(track)
    await it.setCamera(null)
    await it.setScreen(track)
    expect(pc.transceivers.slice(0, 3).map((one) => one.sender.replaceTrack.mock.calls)).toEqual([
      [[track]],
      [[null]],
      [[track]],
    ])
    expect(pc.createOffer).toHaveBeenCalledOnce()
  })

  it('tells of the connection until it is closed', () => {
    const it = peer()
    pc.connectionState = 'connected'
    pc.onconnectionstatechange?.()
    it.close()
    expect(states).toEqual(['connected'])
    expect(pc.onconnectionstatechange).toBeNull()
    expect(pc.close).toHaveBeenCalledOnce()
  })
})

describe('layers that nobody takes', () => {
  const actives = (transceiver: FakeTransceiver | undefined) =>
    transceiver?.sender.setParameters.mock.calls.map(([parameters]) =>
      parameters.encodings.map((it: RTCRtpEncodingParameters) => it.active),
    )

  it('are switched off by name, and on again', async () => {
    const one = peer()
    await one.offer({ mic: null, camera: null })
    await one.setLayers('1', ['q', 'h'])
    await one.setLayers('1', [])
    await one.setLayers('1', ['q', 'h', 'f'])
    expect(actives(pc.transceivers[1])).toEqual([
      [true, true, false],
      [false, false, false],
      [true, true, true],
    ])
  })

  it('are one without a name where there is no simulcast', async () => {
    const one = peer({ simulcast: false })
    await one.offer({ mic: null, camera: null })
    await one.setLayers('1', [])
    await one.setLayers('1', [''])
    expect(actives(pc.transceivers[1])).toEqual([[false], [true]])
  })

  it('of a section that is not ours change nothing, nor does a refusal', async () => {
    const one = peer()
    await one.offer({ mic: null, camera: null })
    pc.transceivers[1]?.sender.setParameters.mockRejectedValueOnce(new Error('InvalidModificationError'))
    await one.setLayers('7', ['q'])
    await one.setLayers('1', ['q'])
    await one.setLayers('1', ['h'])
    expect(actives(pc.transceivers[1])).toEqual([
      [true, false, false],
      [false, true, false],
    ])
  })
})

describe('another way for the same media', () => {
  const ANSWER =
    'v=0\r\na=ice-ufrag:s1\r\na=ice-pwd:p1\r\na=candidate:1 udp old\r\na=candidate:2 tcp old\r\na=mid:0\r\n'
  const FRAGMENT = 'a=ice-ufrag:s2\r\na=ice-pwd:p2\r\nm=audio 9 X 0\r\na=mid:0\r\na=candidate:1 udp new\r\n'

  it('sends credentials only, and sets the answer there is with the new ones of the server', async () => {
    const it = peer()
    await it.offer({ mic: null, camera: null })
    expect(await it.restartIce()).toBeNull()
    pc.remoteDescription = { sdp: ANSWER }
    pc.signalingState = 'stable'
    expect(await it.restartIce()).toBe('a=ice-ufrag:new1\r\na=ice-pwd:new-password\r\n')
    expect(pc.restartIce).toHaveBeenCalledOnce()
    await it.resumeIce(FRAGMENT)
    expect(pc.setRemoteDescription).toHaveBeenCalledWith({
      type: 'answer',
      sdp: 'v=0\r\na=ice-ufrag:s2\r\na=ice-pwd:p2\r\na=candidate:1 udp new\r\na=mid:0\r\n',
    })
    expect(pc.createOffer).toHaveBeenCalledOnce()
  })

  it('starts anew where the answer was lost on the way, and ignores one that nobody waits for', async () => {
    const it = peer()
    await it.offer({ mic: null, camera: null })
    pc.remoteDescription = { sdp: ANSWER }
    await it.restartIce()
    expect(pc.rollbacks).toBe(1)
    pc.signalingState = 'stable'
    pc.setRemoteDescription.mockClear()
    await it.resumeIce(FRAGMENT)
    expect(pc.setRemoteDescription).not.toHaveBeenCalled()
  })

  it('keeps an answer as it is where the fragment has no credentials', () => {
    expect(withFragment('a=ice-ufrag:s1\r\na=ice-pwd:p1', '')).toBe('a=ice-ufrag:s1\r\na=ice-pwd:p1')
  })

  it('takes newer relay credentials', () => {
    peer().setIceServers([
      { urls: ['turn:t.example'], username: 'u', credential: 'c' },
      { urls: ['stun:s'], username: null, credential: null },
    ])
    expect(pc.setConfiguration).toHaveBeenCalledWith({
      bundlePolicy: 'max-bundle',
      iceServers: [{ urls: ['turn:t.example'], username: 'u', credential: 'c' }, { urls: ['stun:s'] }],
    })
  })
})

import type { IceServer } from '../protocol/types.gen'
import { asConfigured } from './peer'

/** How media may travel: straight over UDP, straight over TCP, or through a relay (TURN). Best first. */
export const WAYS = ['udp', 'tcp', 'relay'] as const
export type Way = (typeof WAYS)[number]

/** absent: this server does not offer that way. */
export type WayState = 'open' | 'blocked' | 'absent'
export type Ways = Record<Way, WayState>

const LIMIT_MS = 8_000

export interface WayTest {
  iceServers: readonly IceServer[]
  /** Hands an offer to the server's line test and returns its answer. */
  ask: (offer: string) => Promise<string>
  create?: (configuration: RTCConfiguration) => RTCPeerConnection
}

/** Try every way at once, each with a connection of its own that carries nothing. Throws what `ask` throws. */
export async function testWays(test: WayTest): Promise<Ways> {
  const [udp, tcp, relay] = await Promise.all(WAYS.map((way) => testWay(way, test)))
  return { udp: udp ?? 'blocked', tcp: tcp ?? 'blocked', relay: relay ?? 'blocked' }
}

/** Which way media will take: the best that is open. */
export function bestWay(ways: Ways): Way | 'none' {
  return WAYS.find((way) => ways[way] === 'open') ?? 'none'
}

export async function testWay(way: Way, test: WayTest): Promise<WayState> {
  const relays = test.iceServers.filter((server) => server.urls.some((url) => url.startsWith('turn')))
  if (way === 'relay' && relays.length === 0) return 'absent'
  const create = test.create ?? ((configuration) => new RTCPeerConnection(configuration))
  const pc = create(
    way === 'relay' ? { iceServers: asConfigured(relays), iceTransportPolicy: 'relay' } : { iceServers: [] },
  )
  try {
    pc.addTransceiver('audio', { direction: 'recvonly' })
    await pc.setLocalDescription()
    const answer = onlyWay(await test.ask(pc.localDescription?.sdp ?? ''), way)
    if (!answer) return 'absent'
    const connected = untilConnected(pc)
    await pc.setRemoteDescription({ type: 'answer', sdp: answer })
    return (await connected) ? 'open' : 'blocked'
  } finally {
    pc.close()
  }
}

/** The answer with the candidates of one way only; a relay reaches the server over UDP. Empty: it has none. */
export function onlyWay(answer: string, way: Way): string {
  const protocol = way === 'tcp' ? 'tcp' : 'udp'
  const lines = answer.split(/\r?\n/).filter((line) => {
    return !line.startsWith('a=candidate:') || line.split(' ')[2]?.toLowerCase() === protocol
  })
  return lines.some((line) => line.startsWith('a=candidate:')) ? lines.join('\r\n') : ''
}

function untilConnected(pc: RTCPeerConnection): Promise<boolean> {
  return new Promise((resolve) => {
    const limit = setTimeout(() => resolve(false), LIMIT_MS)
    pc.onconnectionstatechange = () => {
      if (pc.connectionState !== 'connected' && pc.connectionState !== 'failed') return
      clearTimeout(limit)
      resolve(pc.connectionState === 'connected')
    }
  })
}

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { bestWay, onlyWay, testWay, testWays, type Ways } from './ways'

const UDP = 'a=candidate:1 1 udp 2130706431 192.0.2.1 5004 typ host'
const TCP = 'a=candidate:2 1 tcp 1671430143 192.0.2.1 5004 typ host tcptype passive'
const answer = (...candidates: string[]) => ['v=0', 'a=ice-lite', ...candidates, ''].join('\r\n')
const RELAY = { urls: ['turn:t.example'], username: 'u', credential: 'c' }
const STUN = { urls: ['stun:s.example'], username: null, credential: null }

class FakeConnection {
  static readonly made: FakeConnection[] = []
  connectionState = 'new'
  localDescription = { sdp: 'offer' }
  remote = ''
  onconnectionstatechange: (() => void) | null = null
  addTransceiver = vi.fn()
  setLocalDescription = vi.fn().mockResolvedValue(undefined)
  close = vi.fn()

  constructor(readonly configuration: RTCConfiguration) {
    FakeConnection.made.push(this)
  }

  /** Connects where `reachable` says so, fails where it says no, and else says nothing. */
  async setRemoteDescription({ sdp }: { sdp: string }) {
    this.remote = sdp
    const state = reachable(this)
    if (!state) return
    this.connectionState = state
    this.onconnectionstatechange?.()
  }
}

let reachable: (pc: FakeConnection) => 'connected' | 'failed' | 'connecting' | ''
const test = (given: string, iceServers = [STUN, RELAY]) => ({
  iceServers,
  ask: async () => given,
  create: (configuration: RTCConfiguration) =>
    new FakeConnection(configuration) as unknown as RTCPeerConnection,
})

beforeEach(() => {
  vi.useFakeTimers()
  FakeConnection.made.length = 0
})
afterEach(() => vi.useRealTimers())

describe('ways', () => {
  it('are tried each alone, and every connection is closed', async () => {
    reachable = (pc) =>
      pc.remote.includes('tcp') || pc.configuration.iceTransportPolicy ? 'connected' : 'failed'
    expect(await testWays(test(answer(UDP, TCP)))).toEqual({ udp: 'blocked', tcp: 'open', relay: 'open' })
    const [udp, tcp, relay] = FakeConnection.made
    expect(udp?.remote).toBe(answer(UDP))
    expect(tcp?.remote).toBe(answer(TCP))
    expect(relay?.remote).toBe(answer(UDP))
    expect(udp?.configuration).toEqual({ iceServers: [] })
    expect(relay?.configuration).toEqual({
      iceServers: [{ urls: ['turn:t.example'], username: 'u', credential: 'c' }],
      iceTransportPolicy: 'relay',
    })
    for (const pc of FakeConnection.made) expect(pc.close).toHaveBeenCalledOnce()
  })

  it('are absent where the server does not offer them', async () => {
    reachable = () => 'connected'
    expect(await testWays(test(answer(UDP), [STUN]))).toEqual({ udp: 'open', tcp: 'absent', relay: 'absent' })
  })

  it('that say nothing count as blocked after a while', async () => {
    reachable = () => 'connecting'
    const state = testWay('udp', test(answer(UDP)))
    await vi.advanceTimersByTimeAsync(8_000)
    expect(await state).toBe('blocked')
  })

  it('close their connection when the server refuses', async () => {
    const refused = { ...test(''), ask: () => Promise.reject(new Error('too_many_trials')) }
    await expect(testWay('udp', refused)).rejects.toThrow('too_many_trials')
    expect(FakeConnection.made[0]?.close).toHaveBeenCalledOnce()
  })

  it.each<[Ways, string]>([
    [{ udp: 'open', tcp: 'open', relay: 'absent' }, 'udp'],
    [{ udp: 'blocked', tcp: 'open', relay: 'open' }, 'tcp'],
    [{ udp: 'blocked', tcp: 'blocked', relay: 'open' }, 'relay'],
    [{ udp: 'blocked', tcp: 'absent', relay: 'blocked' }, 'none'],
  ])('%o: %s is taken', (ways, best) => expect(bestWay(ways)).toBe(best))
})

it('an answer without candidates of a way is none', () => {
  expect(onlyWay(answer(TCP), 'udp')).toBe('')
})

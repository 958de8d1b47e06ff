import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { CommandRefused, Connection, type ConnectionEvents, type Socket } from './connection'
import { welcome } from './fixtures'
import type { FromClient, FromServer } from './types.gen'

class FakeSocket implements Socket {
  sent: FromClient[] = []
  closed = false
  onopen: (() => void) | null = null
  onmessage: ((event: { data: unknown }) => void) | null = null
  onclose: (() => void) | null = null

  send(text: string) {
    this.sent.push(JSON.parse(text))
  }

  close() {
    this.closed = true
  }

  say(message: FromServer) {
    this.onmessage?.({ data: JSON.stringify(message) })
  }

  last(type: FromClient['type']) {
    return this.sent.filter((message) => message.type === type).at(-1)
  }
}

let sockets: FakeSocket[]
let events: { [K in keyof ConnectionEvents]: ReturnType<typeof vi.fn> }

function connect(): Connection {
  const connection = new Connection({
    open: () => {
      const socket = new FakeSocket()
      sockets.push(socket)
      return socket
    },
    events: events as unknown as ConnectionEvents,
    client: 'test',
    line: () => ({ rtt_ms: 12, loss_percent: 0, freezes: 0 }),
    random: () => 0.5,
  })
  connection.start()
  return connection
}

function now(): FakeSocket {
  const socket = sockets.at(-1)
  if (!socket) throw new Error('no socket was opened')
  return socket
}

function enter(over = {}) {
  now().onopen?.()
  now().say(welcome(over))
}

beforeEach(() => {
  vi.useFakeTimers()
  vi.setSystemTime(1_000_000)
  sockets = []
  events = { state: vi.fn(), welcome: vi.fn(), message: vi.fn(), refused: vi.fn(), over: vi.fn() }
})
afterEach(() => vi.useRealTimers())

describe('greeting', () => {
  it('says hello first and is open once welcomed', () => {
    const connection = connect()
    enter({ server_time: 1_005 })
    expect(now().sent[0]).toEqual({
      type: 'hello',
      version: 1,
      client: 'test',
      resume: null,
      take_over: false,
    })
    expect(connection.state).toBe('open')
    expect(connection.serverAhead_s).toBe(5)
    expect(events.welcome).toHaveBeenCalledOnce()
  })

  it('stops for good when the hello is refused', () => {
    const connection = connect()
    now().onopen?.()
    now().say({ type: 'error', id: null, code: 'seat_taken', detail: '', about: 'hello' })
    expect(connection.state).toBe('refused')
    expect(events.refused).toHaveBeenCalledWith('seat_taken', '')
    vi.advanceTimersByTime(60_000)
    expect(sockets).toHaveLength(1)
  })

  it('takes the seat over when told to, and only the first time', () => {
    const connection = connect()
    connection.start(true)
    enter()
    expect(now().sent[0]).toMatchObject({ take_over: true, resume: null })
    now().onclose?.()
    vi.advanceTimersByTime(5_000)
    now().onopen?.()
    expect(now().sent[0]).toMatchObject({ take_over: false, resume: 'token' })
  })

  it('tries again when no welcome comes', () => {
    connect()
    now().onopen?.()
    vi.advanceTimersByTime(8_000)
    expect(sockets[0]?.closed).toBe(true)
    vi.advanceTimersByTime(1_000)
    expect(sockets).toHaveLength(2)
  })
})

describe('coming back', () => {
  it('resumes with the token and longer and longer waits, up to two seconds', () => {
    const connection = connect()
    enter()
    now().onclose?.()
    expect(connection.state).toBe('reconnecting')
    const waits: number[] = []
    for (let attempt = 0; attempt < 6; attempt += 1) {
      const before = Date.now()
      const count = sockets.length
      while (sockets.length === count) vi.advanceTimersByTime(50)
      waits.push(Date.now() - before)
      now().onclose?.()
    }
    expect(waits).toEqual([300, 600, 1_200, 2_000, 2_000, 2_000])
    vi.advanceTimersByTime(3_000)
    now().onopen?.()
    expect(now().sent[0]).toMatchObject({ resume: 'token' })
  })

  it('comes back after a server that drains, and not after any other good-bye', () => {
    const connection = connect()
    enter()
    now().say({ type: 'goodbye', code: 'draining', detail: '' })
    expect(connection.state).toBe('reconnecting')
    vi.advanceTimersByTime(400)
    enter()
    now().say({ type: 'goodbye', code: 'removed', detail: 'x' })
    expect(events.over).toHaveBeenCalledWith('removed', 'x')
    vi.advanceTimersByTime(60_000)
    expect(sockets).toHaveLength(2)
  })

  it('does not wait for its timer when the network is back', () => {
    const connection = connect()
    enter()
    now().onclose?.()
    connection.wake()
    expect(sockets).toHaveLength(2)
  })

  it('gives a silent line up after twelve seconds', () => {
    const connection = connect()
    enter()
    vi.advanceTimersByTime(10_000)
    expect(connection.state).toBe('open')
    vi.advanceTimersByTime(5_000)
    expect(connection.state).toBe('reconnecting')
  })
})

describe('ping', () => {
  it('tells the line every five seconds and sets the clock by the pong', () => {
    const connection = connect()
    enter()
    vi.advanceTimersByTime(5_000)
    expect(now().last('ping')).toEqual({
      type: 'ping',
      sent_at: 1_005,
      rtt_ms: 12,
      loss_percent: 0,
      freezes: 0,
    })
    vi.advanceTimersByTime(200)
    now().say({ type: 'pong', sent_at: 1_005, server_time: 1_105.1 })
    expect(connection.serverAhead_s).toBeCloseTo(100)
  })
})

describe('commands', () => {
  it('resolve when done and reject with the code', async () => {
    const connection = connect()
    enter()
    const done = connection.ask({ type: 'request_floor' })
    const refused = connection.ask({ type: 'release_floor' })
    now().say({ type: 'error', id: 2, code: 'not_holder', detail: 'no', about: 'command' })
    now().say({ type: 'done', id: 1 })
    await expect(done).resolves.toBeUndefined()
    await expect(refused).rejects.toMatchObject({ code: 'not_holder', detail: 'no' })
    expect(events.message).not.toHaveBeenCalled()
  })

  it('are refused at once without a connection, and when it is lost', async () => {
    const connection = connect()
    await expect(connection.ask({ type: 'cancel_request' })).rejects.toBeInstanceOf(CommandRefused)
    enter()
    const asked = connection.ask({ type: 'cancel_request' })
    now().onclose?.()
    await expect(asked).rejects.toMatchObject({ code: 'connection_lost' })
  })

  it('are given up after ten seconds without an answer', async () => {
    const connection = connect()
    enter()
    const asked = expect(connection.ask({ type: 'say', text: 'x' })).rejects.toMatchObject({
      code: 'no_answer',
    })
    vi.advanceTimersByTime(10_000)
    await asked
  })

  it('pass errors about no command on', () => {
    connect()
    enter()
    const refusal: FromServer = { type: 'error', id: null, code: 'bad_sdp', detail: '', about: 'offer' }
    now().say(refusal)
    expect(events.message).toHaveBeenCalledWith(refusal)
  })
})

describe('leaving', () => {
  it('says good-bye and stays away', () => {
    const connection = connect()
    enter()
    connection.leave()
    expect(now().last('bye')).toEqual({ type: 'bye' })
    expect(now().closed).toBe(true)
    expect(events.over).toHaveBeenCalledWith('left', '')
    vi.advanceTimersByTime(60_000)
    expect(sockets).toHaveLength(1)
  })

  it('abandons without a good-bye, so that the seat stays leased', () => {
    const connection = connect()
    enter()
    connection.abandon()
    expect(now().last('bye')).toBeUndefined()
    expect(connection.state).toBe('over')
  })
})

describe('a suspected line', () => {
  it('is given up when it does not answer soon, and resumed', () => {
    const connection = connect()
    enter()
    connection.suspect()
    connection.suspect()
    expect(now().sent.filter((message) => message.type === 'ping')).toHaveLength(1)
    vi.advanceTimersByTime(2_000)
    expect(connection.state).toBe('reconnecting')
    vi.advanceTimersByTime(1_000)
    now().onopen?.()
    expect(now().last('hello')).toMatchObject({ resume: 'token' })
  })

  it('stays when it answers', () => {
    const connection = connect()
    enter()
    vi.advanceTimersByTime(1_000)
    connection.wake()
    vi.advanceTimersByTime(100)
    now().say({ type: 'pong', sent_at: 1_001, server_time: 1_001 })
    vi.advanceTimersByTime(3_000)
    expect(connection.state).toBe('open')
    expect(sockets).toHaveLength(1)
  })

  it('is nothing to a connection that is not there', () => {
    const connection = connect()
    connection.suspect()
    expect(now().sent).toEqual([])
    vi.advanceTimersByTime(2_000)
    expect(sockets).toHaveLength(1)
  })
})

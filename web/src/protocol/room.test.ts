import { describe, expect, it } from 'vitest'

import { emptyFloor, seat, welcome } from './fixtures'
import { applyMessage, enterRoom, withoutFeeds, type RoomState } from './room'
import type { FromServer } from './types.gen'

const state = enterRoom(welcome(), null)

function after(...messages: FromServer[]): RoomState {
  return messages.reduce(applyMessage, state)
}

describe('sections', () => {
  it('replace only what they are about', () => {
    const next = after({ type: 'seat', seat: seat('b', { presence: 'suspended' }) })
    expect(next.seats.get('b')?.presence).toBe('suspended')
    expect(next.seats.get('a')).toBe(state.seats.get('a'))
    expect(next.floor).toBe(state.floor)
    expect(state.seats.get('b')?.presence).toBe('present')
  })

  it.each<[FromServer, keyof RoomState]>([
    [{ type: 'floor', floor: { ...emptyFloor, all_muted: true } }, 'floor'],
    [{ type: 'stage', stage: { layout: 'single', pinned: [], pictures: [] } }, 'stage'],
    [{ type: 'meeting', meeting: { ...state.meeting, locked: true } }, 'meeting'],
    [{ type: 'speaking', seat_ids: ['b'] }, 'speaking'],
    [{ type: 'alarm', code: 'journal_failing', detail: 'disk', since: 1, active: true }, 'alarms'],
  ])('%o changes %s', (message, section) => {
    const next = applyMessage(state, message)
    expect(next[section]).not.toBe(state[section])
    for (const other of Object.keys(state) as (keyof RoomState)[]) {
      if (other !== section) expect(next[other]).toBe(state[other])
    }
  })

  it('leave the state alone where they say nothing about the room', () => {
    expect(after({ type: 'done', id: 1 })).toBe(state)
  })
})

describe('slots', () => {
  it('merge, for only those that changed are named', () => {
    const next = after(
      { type: 'slots', feeds: [{ mid: '6', seat_id: 'a', track: 'camera' }] },
      { type: 'slots', feeds: [{ mid: '7', seat_id: 'b', track: 'camera' }] },
      { type: 'slots', feeds: [{ mid: '6', seat_id: null, track: '' }] },
    )
    expect(next.feeds.get('6')?.seat_id).toBeNull()
    expect(next.feeds.get('7')?.seat_id).toBe('b')
    expect(withoutFeeds(next).feeds.size).toBe(0)
  })

  it('are kept by a resumed session and forgotten by a new one', () => {
    const fed = after({ type: 'slots', feeds: [{ mid: '6', seat_id: 'a', track: 'camera' }] })
    expect(enterRoom(welcome({ resumed: true }), fed).feeds.size).toBe(1)
    expect(enterRoom(welcome({ resumed: false }), fed).feeds.size).toBe(0)
  })
})

describe('chat', () => {
  const line = (seq: number) => ({ seq, at: seq, seat_id: 'a', name: 'A', text: `${seq}` })

  it('takes a line once, however often it is told', () => {
    const next = after(
      { type: 'chat', line: line(1) },
      { type: 'chat', line: line(1) },
      { type: 'chat', line: line(2) },
    )
    expect(next.chat.map((it) => it.seq)).toEqual([1, 2])
  })

  it('keeps the last 500 lines', () => {
    const messages = Array.from({ length: 501 }, (_, seq): FromServer => ({ type: 'chat', line: line(seq) }))
    expect(after(...messages).chat).toHaveLength(500)
    expect(after(...messages).chat[0]?.seq).toBe(1)
  })
})

it('links merge by seat', () => {
  const figures = { up_bps: 1, down_bps: 1, up_loss_percent: 0, down_loss_percent: 0, rtt_ms: 1, freezes: 0 }
  const told = (seat_id: string): FromServer => ({
    type: 'links',
    links: [{ seat_id, ...figures, media: 'connected' }],
  })
  const next = after(told('a'), told('b'))
  expect([...next.links.keys()]).toEqual(['a', 'b'])
})

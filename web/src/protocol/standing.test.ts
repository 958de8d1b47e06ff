import { describe, expect, it } from 'vitest'

import { emptyFloor, seat } from './fixtures'
import { clockText, secondsLeft, standingOf } from './standing'
import type { FloorView, HolderView } from './types.gen'

const holder: HolderView = {
  seat_id: 'a',
  by_right: false,
  granted_at: 0,
  ends_at: 100,
  suspended_until: null,
  subject: 'Đường sá',
}
const request = (id: string) => ({ seat_id: id, subject: '', priority: 2, requested_at: 0 })
const queue: FloorView = { ...emptyFloor, queue: [request('b'), request('c'), request('a')] }

describe('standing', () => {
  it.each([
    ['watching without a seat', undefined, emptyFloor, { kind: 'watching' }],
    ['absent', seat('a', { presence: 'absent' }), emptyFloor, { kind: 'absent' }],
    ['removed', seat('a', { presence: 'removed' }), emptyFloor, { kind: 'removed' }],
    ['in the lobby', seat('a', { presence: 'lobby' }), emptyFloor, { kind: 'lobby' }],
    ['muted', seat('a'), emptyFloor, { kind: 'muted', allMuted: false }],
    [
      'muted with everybody',
      seat('a'),
      { ...emptyFloor, all_muted: true },
      { kind: 'muted', allMuted: true },
    ],
    ['next', seat('b'), queue, { kind: 'on_deck', subject: '' }],
    ['third in the queue', seat('a'), queue, { kind: 'queued', position: 3, subject: '' }],
    [
      'speaking',
      seat('a'),
      { ...queue, holders: [holder] },
      { kind: 'speaking', byRight: false, endsAt: 100, subject: 'Đường sá' },
    ],
    [
      'lost, with its floor kept',
      seat('a', { presence: 'suspended' }),
      { ...emptyFloor, holders: [{ ...holder, suspended_until: 30 }] },
      { kind: 'lost', until: 30 },
    ],
    ['lost', seat('a', { presence: 'suspended' }), emptyFloor, { kind: 'lost', until: null }],
  ])('%s', (_, of, floor, expected) => {
    expect(standingOf(of, floor)).toEqual(expected)
  })
})

describe('time left', () => {
  it.each([
    [100, 48.7, 52],
    [100, 99.99, 1],
    [100, 100, 0],
    [100, 130, 0],
  ])('ends at %d, now %d: %d s', (endsAt, now, left) => expect(secondsLeft(endsAt, now)).toBe(left))

  it.each([
    [0, '00:00'],
    [151, '02:31'],
    [3599, '59:59'],
    [3725, '1:02:05'],
  ])('%d s is %s', (seconds, text) => expect(clockText(seconds)).toBe(text))
})

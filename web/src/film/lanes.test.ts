import { describe, expect, it } from 'vitest'

import { lanesOf, nextTurn, turnAt } from './lanes'

const chapters = [
  { starts_s: 0, ends_s: 300, seat_id: 'main', name: 'Chính', subject: '', by_right: true },
  { starts_s: 60, ends_s: 120, seat_id: 'b', name: 'B', subject: 'Đường', by_right: false },
  { starts_s: 20, ends_s: 50, seat_id: 'a', name: 'A', subject: 'Điện', by_right: false },
  { starts_s: 200, ends_s: 260, seat_id: 'a', name: 'A', subject: 'Trường', by_right: false },
]
const speaking = chapters.map(({ seat_id, starts_s, ends_s }) => ({ seat_id, starts_s, ends_s }))
const lanes = lanesOf(speaking, chapters, (seatId) => seatId.toUpperCase())
const a = lanes[1]!

describe('lanes of the timeline', () => {
  it('are one for each endpoint, by right first, then by first turn', () => {
    expect(lanes.map((lane) => lane.name)).toEqual(['MAIN', 'A', 'B'])
    expect(lanes[0]!.turns[0]!.byRight).toBe(true)
  })

  it('know what was spoken about, and how long', () => {
    expect(a.turns.map((turn) => turn.subject)).toEqual(['Điện', 'Trường'])
    expect(a.total_s).toBe(90)
  })

  it('draw a turn that no chapter tells of', () => {
    const [lane] = lanesOf([{ seat_id: 'x', starts_s: 1, ends_s: 2 }], [], (seatId) => seatId)
    expect(lane!.turns).toEqual([{ starts_s: 1, ends_s: 2, byRight: false, subject: '' }])
  })

  it.each([
    [0, 20],
    [20, 200],
    [100, 200],
    [250, 20],
  ])('after %d s the next turn starts at %d s', (at_s, starts_s) => {
    expect(nextTurn(a, at_s).starts_s).toBe(starts_s)
  })

  it('say whose turn it is', () => {
    expect(turnAt(a, 20)?.subject).toBe('Điện')
    expect(turnAt(a, 50)).toBeUndefined()
  })
})

import { describe, expect, it } from 'vitest'

import { seat } from './fixtures'
import { arrange, layoutRoom, legibleCount, pickTiles, type Place } from './stage'
import { LAYOUT_NAME_VALUES, type SlotFeed, type StageView } from './types.gen'

const SIZES = [
  [344, 200],
  [960, 560],
  [700, 900],
  [2560, 1300],
] as const

function overlaps(a: Place, b: Place): boolean {
  const EPSILON = 0.01
  return (
    a.x < b.x + b.width - EPSILON &&
    b.x < a.x + a.width - EPSILON &&
    a.y < b.y + b.height - EPSILON &&
    b.y < a.y + a.height - EPSILON
  )
}

describe('arranging', () => {
  for (const layout of LAYOUT_NAME_VALUES) {
    for (const [width, height] of SIZES) {
      it(`${layout} on ${width}x${height}: inside, 16:9, none over another`, () => {
        for (let count = 1; count <= 16; count += 1) {
          const places = arrange(layout, count, width, height, 8)
          expect(places).toHaveLength(Math.min(count, layoutRoom(layout) ?? count))
          places.forEach((place, index) => {
            expect(place.width / place.height).toBeCloseTo(16 / 9)
            expect(place.x).toBeGreaterThan(-0.01)
            expect(place.y).toBeGreaterThan(-0.01)
            expect(place.x + place.width).toBeLessThan(width + 0.01)
            expect(place.y + place.height).toBeLessThan(height + 0.01)
            for (const other of places.slice(index + 1)) expect(overlaps(place, other)).toBe(false)
          })
        }
      })
    }
  }

  it('gives the first of a strip the most room', () => {
    const [main, ...rest] = arrange('main_strip', 5, 1280, 600, 8)
    for (const place of rest) expect(main?.width).toBeGreaterThan(place.width * 2)
  })

  it('gives a shared screen the most room, also of two', () => {
    const [screen, speaker] = arrange('auto', 2, 1280, 600, 8, true)
    expect(screen?.width).toBeGreaterThan((speaker?.width ?? 0) * 2)
    const [one, other] = arrange('auto', 2, 1280, 600, 8, false)
    expect(one?.width).toBe(other?.width)
  })

  it('has no places on a stage without room or pictures', () => {
    expect(arrange('auto', 3, 0, 0, 8)).toEqual([])
    expect(arrange('auto', 0, 800, 600, 8)).toEqual([])
  })
})

describe('legible stages', () => {
  it('shows fewer pictures on a small stage, and all on a large one', () => {
    expect(legibleCount('auto', 9, 344, 200, 8)).toBe(2)
    expect(legibleCount('auto', 9, 726, 369, 8)).toBe(5)
    expect(legibleCount('auto', 9, 1500, 900, 8)).toBe(9)
  })

  it('leaves a layout that somebody chose alone', () => {
    expect(legibleCount('grid_9', 9, 344, 200, 8)).toBe(9)
    expect(legibleCount('auto', 1, 100, 50, 8)).toBe(1)
  })
})

describe('choosing tiles', () => {
  const pictures = (...ids: string[]) => ids.map((id) => ({ seat_id: id, track: 'camera' }))
  const stage = (...ids: string[]): StageView => ({ layout: 'auto', pinned: [], pictures: pictures(...ids) })
  const seats = (...all: ReturnType<typeof seat>[]) => new Map(all.map((it) => [it.seat_id, it]))
  const feeds = (...all: [string, string][]) =>
    new Map(all.map(([mid, id]): [string, SlotFeed] => [mid, { mid, seat_id: id, track: 'camera' }]))
  const abc = seats(seat('a'), seat('b'), seat('c'))

  it('follows the stage’s order wherever the server put the pictures', () => {
    const tiles = pickTiles(
      stage('a', 'b', 'c'),
      abc,
      feeds(['6', 'a'], ['7', 'c'], ['8', 'b']),
      ['6', '7', '8'],
      null,
    )
    expect(tiles.map((tile) => [tile.seatId, tile.mid, tile.fed])).toEqual([
      ['a', '6', true],
      ['b', '8', true],
      ['c', '7', true],
    ])
  })

  it('keeps a free slot ready for a picture that is to come', () => {
    const tiles = pickTiles(stage('a', 'b'), abc, feeds(['7', 'b']), ['6', '7'], null)
    expect(tiles).toMatchObject([
      { seatId: 'a', mid: '6', fed: false },
      { seatId: 'b', mid: '7', fed: true },
    ])
  })

  it('leaves out one’s own picture, absent endpoints and cameras that are off', () => {
    const some = seats(
      seat('a'),
      seat('b', { camera_off: true }),
      seat('c', { presence: 'absent' }),
      seat('d'),
    )
    const tiles = pickTiles(stage('a', 'b', 'c', 'd'), some, new Map(), ['6', '7', '8'], 'a')
    expect(tiles.map((tile) => tile.seatId)).toEqual(['d'])
  })

  it('shows the first endpoint’s name when there is no live picture at all', () => {
    const off = seats(seat('a', { camera_off: true }))
    expect(pickTiles(stage('a'), off, new Map(), ['6'], null).map((tile) => tile.seatId)).toEqual(['a'])
  })

  it('still shows the shared screen of an endpoint whose camera is off', () => {
    const view: StageView = { layout: 'auto', pinned: [], pictures: [{ seat_id: 'a', track: 'screen' }] }
    expect(pickTiles(view, seats(seat('a', { camera_off: true })), new Map(), ['6'], null)).toHaveLength(1)
  })

  it('shows no more than the layout or the slots have room for', () => {
    const single: StageView = { ...stage('a', 'b', 'c'), layout: 'single' }
    expect(pickTiles(single, abc, new Map(), ['6', '7', '8'], null)).toHaveLength(1)
    expect(pickTiles(stage('a', 'b', 'c'), abc, new Map(), ['6', '7'], null)).toHaveLength(2)
  })
})

import { describe, expect, it } from 'vitest'

import type { RecordedChapter } from '../protocol/types.gen'
import { chapterAt, inOrder, nextStart, previousStart } from './chapters'

function chapter(starts_s: number, ends_s: number, name: string, by_right = false): RecordedChapter {
  return { starts_s, ends_s, seat_id: name, name, subject: '', by_right }
}

const chapters = inOrder([
  chapter(60, 120, 'b'),
  chapter(0, 300, 'main', true),
  chapter(0, 50, 'a'),
  chapter(100, 110, 'c'),
])
const nameAt = (at_s: number) => chapters[chapterAt(chapters, at_s)]?.name

describe('the chapter that runs', () => {
  it('is in order of time, by right first', () => {
    expect(chapters.map((it) => it.name)).toEqual(['main', 'a', 'b', 'c'])
  })

  it('is none in the breath between two grants', () => {
    const breath = [chapter(0, 5, 'a'), chapter(5, 6.9, 'main', true), chapter(6.9, 9, 'b')]
    expect(inOrder(breath).map((it) => it.name)).toEqual(['a', 'b'])
  })

  it.each([
    [0, 'a'],
    [49.9, 'a'],
    [50, 'main'],
    [60, 'b'],
    [105, 'c'],
    [110, 'b'],
    [120, 'main'],
    [299, 'main'],
    [300, undefined],
    [-1, undefined],
  ])('at %d s is %s', (at_s, name) => expect(nameAt(at_s)).toBe(name))

  it('is none where there are none', () => expect(chapterAt([], 5)).toBe(-1))
})

describe('from chapter to chapter', () => {
  it.each([
    [0, 60],
    [59.9, 100],
    [60, 100],
    [100, null],
  ])('after %d s comes %s', (at_s, start) => expect(nextStart(chapters, at_s)).toBe(start))

  it.each([
    [2, 0],
    [61, 0],
    [63, 60],
    [102, 60],
    [200, 100],
  ])('before %d s comes %d', (at_s, start) => expect(previousStart(chapters, at_s)).toBe(start))
})

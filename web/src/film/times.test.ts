import { describe, expect, it } from 'vitest'

import { filmClock, parseFilmTime, splitSeconds, ticksBetween } from './times'

describe('film time', () => {
  it.each([
    [0, '00:00'],
    [9.99, '00:09'],
    [151, '02:31'],
    [3599.9, '59:59'],
    [3600, '1:00:00'],
    [36_125, '10:02:05'],
    [-3, '00:00'],
  ])('%d s is shown as %s', (seconds, text) => expect(filmClock(seconds)).toBe(text))

  it('is split for words', () => {
    expect(splitSeconds(7385.7)).toEqual({ hours: 2, minutes: 3, seconds: 5 })
  })

  it.each([
    ['95', 95],
    ['95.5', 95.5],
    ['1:35', 95],
    ['1:02:05', 3725],
    ['0', 0],
    ['', null],
    ['-5', null],
    ['1e9', null],
    ['1:2:3:4', null],
    ['99999999', null],
    ['<script>', null],
    [['1'], null],
    [undefined, null],
  ])('?t=%s means %s', (text, seconds) => expect(parseFilmTime(text)).toBe(seconds))
})

describe('ticks of a timeline', () => {
  it('are at round times, as far apart as asked', () => {
    expect(ticksBetween(0, 300, 2, 72)).toEqual([0, 60, 120, 180, 240, 300])
    expect(ticksBetween(125, 300, 2, 72)).toEqual([180, 240, 300])
    expect(ticksBetween(0, 10, 40, 72)).toEqual([0, 2, 4, 6, 8, 10])
  })

  it('stay few in the longest meeting', () => {
    expect(ticksBetween(0, 86_400, 800 / 86_400, 72).length).toBeLessThan(12)
  })
})

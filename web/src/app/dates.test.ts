import { describe, expect, it } from 'vitest'

import { dayOf, dayTitle, shiftDay, timeOfDay } from './dates'

describe('the province’s time', () => {
  it('is seven hours ahead of UTC, whatever the machine says', () => {
    expect(dayOf(new Date('2026-11-24T18:00:00Z'))).toBe('2026-11-25')
    expect(timeOfDay(Date.UTC(2026, 10, 24, 1, 30) / 1000)).toBe('08:30')
  })

  it.each([
    ['2026-11-24', 1, '2026-11-25'],
    ['2026-12-31', 1, '2027-01-01'],
    ['2028-03-01', -1, '2028-02-29'],
  ])('%s shifted by %d is %s', (day, by, other) => expect(shiftDay(day, by)).toBe(other))

  it('names the day in both languages', () => {
    expect(dayTitle('2026-11-24', 'vi')).toMatch(/^Thứ Ba.*24.*11.*2026$/)
    expect(dayTitle('2026-11-24', 'en')).toMatch(/^Tuesday.*24 November 2026$/)
  })
})

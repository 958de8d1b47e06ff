import { describe, expect, it } from 'vitest'

import { ANYTHING, filterCount, queryOf, sameWish, wishOf } from './wish'

describe('what is looked for, in the address', () => {
  it('comes back as it went', () => {
    const wish = {
      ...ANYTHING,
      q: 'giao thông',
      from: '2023-01-01',
      to: '2023-12-31',
      agency: 'Sở Y tế',
      state: 'ready',
      sort: 'oldest',
    } as const
    expect(wishOf(queryOf(wish))).toEqual(wish)
    expect(filterCount(wish)).toBe(4)
  })

  it('says nothing of what is as usual', () => {
    expect(queryOf(ANYTHING)).toEqual({})
    expect(queryOf({ ...ANYTHING, q: '  đường  ' })).toEqual({ q: 'đường' })
    expect(wishOf({})).toEqual(ANYTHING)
  })

  it('passes over what makes no sense', () => {
    const query = { q: ['a', 'b'], from: '1/1/2023', to: null, state: 'sideways', sort: 'random', other: 'x' }
    expect(wishOf(query)).toEqual(ANYTHING)
  })

  it('is cut where somebody pastes a book', () => expect(wishOf({ q: 'x'.repeat(5000) }).q).toHaveLength(200))

  it('is the same with spaces around', () => {
    expect(sameWish({ ...ANYTHING, q: 'a ' }, { ...ANYTHING, q: 'a' })).toBe(true)
    expect(sameWish(ANYTHING, { ...ANYTHING, sort: 'title' })).toBe(false)
  })
})

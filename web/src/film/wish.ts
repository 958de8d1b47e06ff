/** What somebody looks for in the archive, as its page's address says it. */
export interface Wish {
  readonly q: string
  readonly from: string
  readonly to: string
  readonly agency: string
  readonly endpoint: string
  readonly state: string
  readonly sort: Sort
}

export const SORTS = ['newest', 'oldest', 'title', 'longest'] as const
export type Sort = (typeof SORTS)[number]
export const STATES = [
  'recording',
  'paused',
  'closed',
  'rendering',
  'ready',
  'damaged',
  'destroyed',
  'expired',
] as const

export const ANYTHING: Wish = { q: '', from: '', to: '', agency: '', endpoint: '', state: '', sort: 'newest' }

const DAY = /^\d{4}-\d\d-\d\d$/
const LONGEST_TEXT = 200

/** From an address; what makes no sense there is passed over. */
export function wishOf(query: Readonly<Record<string, unknown>>): Wish {
  const text = (key: string) => {
    const value = query[key]
    return typeof value === 'string' ? value.slice(0, LONGEST_TEXT) : ''
  }
  const day = (key: string) => (DAY.test(text(key)) ? text(key) : '')
  const oneOf = <T extends string>(key: string, known: readonly T[]) => known.find((it) => it === text(key))
  return {
    q: text('q'),
    from: day('from'),
    to: day('to'),
    agency: text('agency'),
    endpoint: text('endpoint'),
    state: oneOf('state', STATES) ?? '',
    sort: oneOf('sort', SORTS) ?? 'newest',
  }
}

/** For an address, and for the server: only what differs from everything, newest first. */
export function queryOf(wish: Wish): Record<string, string> {
  const trimmed = { ...wish, q: wish.q.trim(), agency: wish.agency.trim(), endpoint: wish.endpoint.trim() }
  const told = Object.entries(trimmed).filter(([key, value]) => value !== ANYTHING[key as keyof Wish])
  return Object.fromEntries(told)
}

/** How many filters are set beside the words and the order. */
export function filterCount(wish: Wish): number {
  return [wish.from, wish.to, wish.agency, wish.endpoint, wish.state].filter((it) => it.trim()).length
}

export function sameWish(a: Wish, b: Wish): boolean {
  return JSON.stringify(queryOf(a)) === JSON.stringify(queryOf(b))
}

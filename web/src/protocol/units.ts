import type { SeatView } from './types.gen'

/** Endpoints of one organisation unit. `path` names the unit from the top; `present` counts connected ones. */
export interface UnitGroup {
  readonly key: string
  readonly name: string
  readonly parents: readonly string[]
  readonly seats: readonly SeatView[]
  readonly present: number
}

/** Letters without their marks, for searching: "Mường Ảng" -> "muong ang", "Điện Biên" -> "dien bien". */
export function foldMarks(text: string): string {
  return text
    .normalize('NFD')
    .replace(/\p{M}/gu, '')
    .replace(/[đĐ]/g, 'd')
    .toLowerCase()
    .replace(/\s+/g, ' ')
    .trim()
}

/** True when every word of `query` is somewhere in the endpoint's name or its units. */
export function seatMatches(seat: SeatView, query: string): boolean {
  const words = foldMarks(query).split(' ').filter(Boolean)
  if (words.length === 0) return true
  const text = foldMarks(`${seat.name} ${seat.unit_path.join(' ')}`)
  return words.every((word) => text.includes(word))
}

/** Endpoints by their innermost unit, units in the order of the tree; the main endpoint's unit comes first. */
export function groupByUnit(seats: Iterable<SeatView>): UnitGroup[] {
  const groups = new Map<string, SeatView[]>()
  for (const seat of seats) {
    const key = seat.unit_path.join(' / ')
    const group = groups.get(key)
    if (group) group.push(seat)
    else groups.set(key, [seat])
  }
  return [...groups].map(([key, members]) => toGroup(key, members)).sort(compareGroups)
}

function toGroup(key: string, members: SeatView[]): UnitGroup {
  const path = members[0]?.unit_path ?? []
  return {
    key,
    name: path.at(-1) ?? '',
    parents: path.slice(0, -1),
    seats: members.sort(compareSeats),
    present: members.filter((seat) => seat.presence === 'present').length,
  }
}

const ROLE_ORDER = { chair: 0, main: 1, branch: 2 } as const

function compareSeats(a: SeatView, b: SeatView): number {
  return ROLE_ORDER[a.role] - ROLE_ORDER[b.role] || a.name.localeCompare(b.name, 'vi', { numeric: true })
}

function compareGroups(a: UnitGroup, b: UnitGroup): number {
  const rank = (group: UnitGroup) => Math.min(...group.seats.map((seat) => ROLE_ORDER[seat.role]))
  return rank(a) - rank(b) || a.key.localeCompare(b.key, 'vi', { numeric: true })
}

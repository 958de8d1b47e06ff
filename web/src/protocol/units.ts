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

const SEPARATOR = ' / '

/**
 * Endpoints by organisation unit. A unit with units below it is a group of its own (a district with its communes);
 * one at the bottom of the tree stands in its parent's, for it rarely has more than one endpoint. The group of who
 * chairs comes first, and in each group the unit's own endpoint.
 */
export function groupByUnit(seats: Iterable<SeatView>): UnitGroup[] {
  const all = [...seats]
  const parents = new Set(
    all.flatMap((seat) => seat.unit_path.map((_, depth) => keyOf(seat.unit_path.slice(0, depth)))),
  )
  const groups = new Map<string, { path: readonly string[]; members: SeatView[] }>()
  for (const seat of all) {
    const isLeaf = !parents.has(keyOf(seat.unit_path))
    const path = isLeaf && seat.unit_path.length > 1 ? seat.unit_path.slice(0, -1) : seat.unit_path
    const group = groups.get(keyOf(path)) ?? { path, members: [] }
    group.members.push(seat)
    groups.set(keyOf(path), group)
  }
  return [...groups.values()].map(({ path, members }) => toGroup(path, members)).sort(compareGroups)
}

function keyOf(path: readonly string[]): string {
  return path.join(SEPARATOR)
}

function toGroup(path: readonly string[], members: SeatView[]): UnitGroup {
  return {
    key: keyOf(path),
    name: path.at(-1) ?? '',
    parents: path.slice(0, -1),
    seats: members.sort(compareSeats),
    present: members.filter((seat) => seat.presence === 'present').length,
  }
}

const ROLE_ORDER = { chair: 0, main: 1, branch: 2 } as const

function compareSeats(a: SeatView, b: SeatView): number {
  const depth = a.unit_path.length - b.unit_path.length
  return (
    ROLE_ORDER[a.role] - ROLE_ORDER[b.role] || depth || a.name.localeCompare(b.name, 'vi', { numeric: true })
  )
}

function compareGroups(a: UnitGroup, b: UnitGroup): number {
  const rank = (group: UnitGroup) => Math.min(...group.seats.map((seat) => ROLE_ORDER[seat.role]))
  return rank(a) - rank(b) || a.key.localeCompare(b.key, 'vi', { numeric: true })
}

import type { FloorView, HolderView, SeatView } from './types.gen'

/**
 * Where a seat stands with the floor, as shown in words and colour.
 * `position` counts from 1; `endsAt` is server time in Unix seconds, null: until withdrawn.
 */
export type Standing =
  | { kind: 'watching' }
  | { kind: 'absent' }
  | { kind: 'removed' }
  | { kind: 'lobby' }
  | { kind: 'lost'; until: number | null }
  | { kind: 'muted'; allMuted: boolean }
  | { kind: 'queued'; position: number; subject: string }
  | { kind: 'on_deck'; subject: string }
  | { kind: 'speaking'; byRight: boolean; endsAt: number | null; subject: string }

export type StandingKind = Standing['kind']

export function standingOf(seat: SeatView | undefined, floor: FloorView): Standing {
  if (!seat) return { kind: 'watching' }
  const holder = holderOf(floor, seat.seat_id)
  switch (seat.presence) {
    case 'absent':
      return { kind: 'absent' }
    case 'removed':
      return { kind: 'removed' }
    case 'lobby':
      return { kind: 'lobby' }
    case 'suspended':
      return { kind: 'lost', until: holder?.suspended_until ?? null }
    case 'present':
      break
  }
  if (holder) {
    return { kind: 'speaking', byRight: holder.by_right, endsAt: holder.ends_at, subject: holder.subject }
  }
  const index = floor.queue.findIndex((request) => request.seat_id === seat.seat_id)
  const request = floor.queue[index]
  if (request && index === 0) return { kind: 'on_deck', subject: request.subject }
  if (request) return { kind: 'queued', position: index + 1, subject: request.subject }
  return { kind: 'muted', allMuted: floor.all_muted }
}

export function holderOf(floor: FloorView, seatId: string): HolderView | undefined {
  return floor.holders.find((holder) => holder.seat_id === seatId)
}

/** Whole seconds left, never negative. */
export function secondsLeft(endsAt: number, now_s: number): number {
  return Math.max(0, Math.ceil(endsAt - now_s))
}

/** 151 -> "02:31", 3725 -> "1:02:05". */
export function clockText(seconds: number): string {
  const s = String(seconds % 60).padStart(2, '0')
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${String(minutes).padStart(2, '0')}:${s}`
  return `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, '0')}:${s}`
}

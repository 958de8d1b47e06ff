import { inOrder } from './chapters'
import type { RecordedChapter, SpeakingSpan } from '../protocol/types.gen'

/** A turn on the timeline. `byRight`: held by the main endpoint or the chair, beside what others are granted. */
export interface Turn {
  readonly starts_s: number
  readonly ends_s: number
  readonly byRight: boolean
  readonly subject: string
}

/** What one endpoint had of the floor. */
export interface Lane {
  readonly seatId: string
  readonly name: string
  readonly turns: readonly Turn[]
  readonly total_s: number
}

/** One lane for each endpoint that had the floor, in the order in which they first had it; by right first. */
export function lanesOf(
  speaking: readonly SpeakingSpan[],
  chapters: readonly RecordedChapter[],
  nameOf: (seatId: string) => string,
): Lane[] {
  const ordered = inOrder(chapters)
  const bySeat = new Map<string, Turn[]>()
  for (const span of [...speaking].sort((a, b) => a.starts_s - b.starts_s)) {
    const chapter = chapterOf(span, ordered)
    const turn: Turn = {
      starts_s: span.starts_s,
      ends_s: span.ends_s,
      byRight: chapter?.by_right ?? false,
      subject: chapter?.subject ?? '',
    }
    const turns = bySeat.get(span.seat_id)
    if (turns) turns.push(turn)
    else bySeat.set(span.seat_id, [turn])
  }
  const lanes = [...bySeat].map(([seatId, turns]): Lane => ({
    seatId,
    name: nameOf(seatId),
    turns,
    total_s: turns.reduce((sum, turn) => sum + turn.ends_s - turn.starts_s, 0),
  }))
  const rank = (lane: Lane) => (lane.turns.some((turn) => turn.byRight) ? 0 : 1)
  return lanes.sort((a, b) => rank(a) - rank(b) || a.turns[0]!.starts_s - b.turns[0]!.starts_s)
}

/** The endpoint's next turn after a moment; after its last one, its first again. */
export function nextTurn(lane: Lane, at_s: number): Turn {
  return lane.turns.find((turn) => turn.starts_s > at_s + 0.25) ?? lane.turns[0]!
}

/** The turn that runs at a moment. */
export function turnAt(lane: Lane, at_s: number): Turn | undefined {
  return lane.turns.find((turn) => turn.starts_s <= at_s && at_s < turn.ends_s)
}

function chapterOf(span: SpeakingSpan, chapters: readonly RecordedChapter[]): RecordedChapter | undefined {
  const own = chapters.filter((chapter) => chapter.seat_id === span.seat_id)
  return own.find((chapter) => chapter.starts_s < span.ends_s && span.starts_s < chapter.ends_s)
}

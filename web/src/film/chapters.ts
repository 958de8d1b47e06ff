import type { RecordedChapter } from '../protocol/types.gen'

/** The breath between two grants, in which only the main endpoint has the floor, is no chapter for people. */
const BREATH_S = 2

/** Chapters by when they start; the floor held by right, which others are granted beside, before a grant. */
export function inOrder(chapters: readonly RecordedChapter[]): RecordedChapter[] {
  const told = chapters.filter((it) => !it.by_right || it.ends_s - it.starts_s >= BREATH_S)
  return told.sort((a, b) => a.starts_s - b.starts_s || Number(b.by_right) - Number(a.by_right))
}

/**
 * The chapter at a moment: the latest grant that still runs, else the latest floor by right; -1: nobody has the floor.
 * `chapters` in order.
 */
export function chapterAt(chapters: readonly RecordedChapter[], at_s: number): number {
  let byRight = -1
  for (let place = lastStarted(chapters, at_s); place >= 0; place -= 1) {
    const chapter = chapters[place]!
    if (chapter.ends_s <= at_s) continue
    if (!chapter.by_right) return place
    if (byRight < 0) byRight = place
  }
  return byRight
}

/** Where the next chapter starts, or null after the last one. */
export function nextStart(chapters: readonly RecordedChapter[], at_s: number): number | null {
  return chapters.find((chapter) => chapter.starts_s > at_s + 0.25)?.starts_s ?? null
}

const AGAIN_S = 3

/** Where the chapter started that runs; within its first seconds, the one before. */
export function previousStart(chapters: readonly RecordedChapter[], at_s: number): number {
  return chapters.filter((chapter) => chapter.starts_s <= at_s - AGAIN_S).at(-1)?.starts_s ?? 0
}

function lastStarted(chapters: readonly RecordedChapter[], at_s: number): number {
  let low = 0
  let high = chapters.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (chapters[middle]!.starts_s <= at_s) low = middle + 1
    else high = middle
  }
  return low - 1
}

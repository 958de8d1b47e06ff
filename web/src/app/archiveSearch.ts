import { computed, onScopeDispose, ref, shallowRef, watch, type Ref } from 'vue'

import { queryOf, type Wish } from '../film/wish'
import type { Recordings, RecordingSummary } from '../protocol/types.gen'
import { ApiError } from './api'
import { archive } from './archive'

type Page = readonly RecordingSummary[]

interface Found {
  key: string
  pages: readonly Page[]
  total: number
  next: string | null
  scroll_px: number
}

const REFRESH_MS = 10_000
const MOVING = new Set(['recording', 'paused', 'rendering'])

/** What was found last: coming back from a recording must not begin the search again. */
let remembered: Found | null = null

/** Pages of what the archive finds for a wish; a new wish drops the answer to the one before. */
export function useArchiveSearch(wish: Ref<Wish>) {
  const key = computed(() => JSON.stringify(queryOf(wish.value)))
  const pages = shallowRef<readonly Page[] | null>(null)
  const total = ref(0)
  const next = ref<string | null>(null)
  const busy = ref<'' | 'first' | 'more'>('')
  const problem = shallowRef<ApiError | null>(null)
  let running: AbortController | null = null

  /** The answer, or null where it failed or a newer question was asked meanwhile. */
  async function ask(cursor: string | null): Promise<Recordings | null> {
    running?.abort()
    const own = (running = new AbortController())
    busy.value = cursor ? 'more' : 'first'
    try {
      const answer = await archive.search(wish.value, cursor, own.signal)
      problem.value = null
      return own.signal.aborted ? null : answer
    } catch (error) {
      if (own.signal.aborted) return null
      if (!(error instanceof ApiError)) throw error
      problem.value = error
      return null
    } finally {
      if (running === own) busy.value = ''
    }
  }

  async function search() {
    const answer = await ask(null)
    if (!answer) return
    pages.value = [answer.recordings]
    total.value = answer.total
    next.value = answer.next
  }

  async function more() {
    if (busy.value || !next.value || !pages.value) return
    const answer = await ask(next.value)
    if (!answer) return
    pages.value = [...pages.value, answer.recordings]
    next.value = answer.next
  }

  /** States and progress of what is in the making; the list itself stays as it was found. */
  async function refresh() {
    const first = pages.value?.[0]
    if (!first?.some(isMoving) || busy.value || document.hidden) return
    const answer = await archive.search(wish.value, null, new AbortController().signal).catch(() => null)
    if (!answer || pages.value?.[0] !== first) return
    const fresh = new Map(answer.recordings.map((it) => [it.recording_id, it]))
    pages.value = [first.map((it) => fresh.get(it.recording_id) ?? it), ...pages.value.slice(1)]
  }

  const timer = setInterval(() => void refresh(), REFRESH_MS)
  onScopeDispose(() => {
    clearInterval(timer)
    running?.abort()
  })

  /** Where the page was scrolled to when this very search was left for a recording; null: it is a new one. */
  function comeBack(): number | null {
    if (remembered?.key !== key.value || !window.history.state?.forward) return null
    pages.value = remembered.pages
    total.value = remembered.total
    next.value = remembered.next
    return remembered.scroll_px
  }

  function remember(scroll_px: number) {
    if (!pages.value) return
    remembered = { key: key.value, pages: pages.value, total: total.value, next: next.value, scroll_px }
  }

  watch(key, () => void search())
  return { pages, total, next, busy, problem, search, more, comeBack, remember }
}

function isMoving(recording: RecordingSummary): boolean {
  return (
    MOVING.has(recording.state) || recording.film.state === 'waiting' || recording.film.state === 'rendering'
  )
}

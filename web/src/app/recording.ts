import { computed, inject, onScopeDispose, provide, shallowRef, type InjectionKey } from 'vue'

import type { RecordingDetail } from '../protocol/types.gen'
import { ApiError } from './api'
import { archive } from './archive'

const SOON_MS = 3_000
const LATER_MS = 15_000

/** One recording, asked for again while something happens to it. */
export function useRecording(id: string) {
  const detail = shallowRef<RecordingDetail | null>(null)
  const problem = shallowRef<ApiError | null>(null)
  let timer: ReturnType<typeof setTimeout> | undefined
  let disposed = false

  async function load() {
    clearTimeout(timer)
    try {
      detail.value = await archive.show(id)
      problem.value = null
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
      // What is on the page stays; only a first load that fails has nothing to show.
      if (!detail.value || error.status === 404) problem.value = error
    }
    const pause = pauseFor(detail.value)
    if (pause && !disposed && !problem.value) timer = setTimeout(() => void load(), pause)
  }

  onScopeDispose(() => {
    disposed = true
    clearTimeout(timer)
  })

  const names = computed(
    () => new Map(detail.value?.endpoints_list.map((endpoint) => [endpoint.seat_id, endpoint.name])),
  )
  return {
    id,
    detail,
    problem,
    load,
    nameOf: (seatId: string) => names.value.get(seatId) ?? seatId,
    may: (what: string) => detail.value?.may.includes(what) ?? false,
    put: (fresh: RecordingDetail) => (detail.value = fresh),
  }
}

export type Recording = ReturnType<typeof useRecording>

const KEY: InjectionKey<Recording> = Symbol('recording')

export function provideRecording(id: string): Recording {
  const recording = useRecording(id)
  provide(KEY, recording)
  return recording
}

export function inRecording(): Recording {
  const recording = inject(KEY)
  if (!recording) throw new Error('no recording is provided here')
  return recording
}

/** How long what we know stays true; 0: for good. */
function pauseFor(detail: RecordingDetail | null): number {
  if (!detail || detail.destroyed) return 0
  if (detail.film.state === 'rendering') return SOON_MS
  return detail.film.state === 'waiting' || detail.ended_at === null ? LATER_MS : 0
}

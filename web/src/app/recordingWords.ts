import { computed, type Ref } from 'vue'
import { useI18n } from 'vue-i18n'

import type { RecordingView } from '../protocol/types.gen'

/** Whether the recording that runs is held up, and why, in words. */
export function useRecordingWords(recording?: Readonly<Ref<RecordingView | null>>) {
  const { t, te } = useI18n()
  const reasonOf = (code: string) =>
    t(code && te(`recording.reasons.${code}`, 'vi') ? `recording.reasons.${code}` : 'recording.reasons.other')
  return {
    reasonOf,
    paused: computed(() => recording?.value?.state === 'paused'),
    reason: computed(() => reasonOf(recording?.value?.reason ?? '')),
  }
}

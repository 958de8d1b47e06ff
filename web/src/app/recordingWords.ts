import { computed, type Ref } from 'vue'
import { useI18n } from 'vue-i18n'

import type { RecordingView } from '../protocol/types.gen'

/** Whether the recording that runs is held up, and why, in words. */
export function useRecordingWords(recording: Readonly<Ref<RecordingView | null>>) {
  const { t, te } = useI18n()
  const paused = computed(() => recording.value?.state === 'paused')
  const reason = computed(() => {
    const code = recording.value?.reason ?? ''
    return t(
      code && te(`recording.reasons.${code}`, 'vi') ? `recording.reasons.${code}` : 'recording.reasons.other',
    )
  })
  return { paused, reason }
}

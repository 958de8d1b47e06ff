import { computed, watch, type Ref } from 'vue'
import { useI18n } from 'vue-i18n'

import type { Meeting } from './meeting'
import { useRecordingWords } from './recordingWords'

/** Says that a recording begins, pauses, goes on or ends. Whoever comes in while it runs is told, too. */
export function useRecordingNews({ road }: Meeting, spoken: Ref<string>): void {
  const { t } = useI18n()
  const recording = computed(() => road.room.value?.meeting.recording ?? null)
  const { reason } = useRecordingWords(recording)

  watch(recording, (now, before) => {
    if (now?.state === 'paused' && before?.state !== 'paused')
      spoken.value = t('recording.announcePaused', { reason: reason.value })
    else if (now?.state === 'on' && before?.state === 'paused') spoken.value = t('recording.announceResumed')
    else if (now && now.recording_id !== before?.recording_id) spoken.value = t('recording.announceOn')
    else if (!now && before) spoken.value = t('recording.announceOff')
  })
}

import { computed } from 'vue'

import { localMedia } from './localMedia'

/** The chosen devices for select fields: an empty text is the system's default; a choice takes effect at once. */
export function useDeviceFields() {
  return {
    cameraId: field('cameraId', localMedia.startCamera),
    micId: field('micId', localMedia.startMic),
    speakerId: field('speakerId'),
  }
}

function field(key: 'cameraId' | 'micId' | 'speakerId', restart?: () => Promise<void>) {
  return computed({
    get: () => localMedia.choice[key] ?? '',
    set: (id: string) => {
      localMedia.choice[key] = id || null
      void restart?.()
    },
  })
}

import { computed, onScopeDispose, ref, shallowRef, watch } from 'vue'

import { canShareScreen, openScreen } from '../media/devices'
import { LevelMeter } from '../media/sound'
import { localMedia } from './localMedia'
import type { MeetingMedia } from './meetingMedia'
import type { MeetingRoad } from './meetingRoad'
import { i18n } from './i18n'
import { toasts } from './toasts'

/** none: no microphone; waiting: shut until granted; muted: granted, but shut by the person; open: heard. */
export type MicState = 'none' | 'waiting' | 'muted' | 'open'

const SILENCE_MS = 8_000
const SPEECH_LEVEL = 0.3

/** Our own microphone, camera and screen. A courtesy only: what is heard, the server's gate decides. */
export function useOwnVoice(road: MeetingRoad, media: MeetingMedia) {
  const muted = ref(!localMedia.choice.micOn)
  const holding = ref(false)
  const level = ref(0)
  const silent = ref(false)
  const screen = shallowRef<MediaStreamTrack | null>(null)
  let meter: LevelMeter | null = null
  let heardAt = 0

  // As last told: while only signalling is lost the media still flows, and a speaker must not be cut off.
  const granted = computed(() => road.toldStanding.value.kind === 'speaking')
  const mic = computed<MicState>(() => {
    if (!localMedia.mic.value) return 'none'
    if (!granted.value) return 'waiting'
    return muted.value && !holding.value ? 'muted' : 'open'
  })

  watch(
    [mic, localMedia.mic],
    ([state, track]) => {
      if (track) track.enabled = state === 'open'
      listen(state === 'open' ? track : null)
    },
    { immediate: true },
  )
  watch(granted, (now, before) => {
    if (before && !now) {
      holding.value = false
      if (screen.value) stopSharing()
    }
  })
  // What others are told about our devices: at the start and whenever it changes.
  const announced = computed(() => {
    const seat = road.ownSeat.value
    if (seat?.presence !== 'present' || road.state.value !== 'open') return null
    const mic_muted = muted.value || !localMedia.mic.value
    const camera_off = !localMedia.camera.value
    return seat.mic_muted === mic_muted && seat.camera_off === camera_off ? null : { mic_muted, camera_off }
  })
  watch(announced, (devices) => devices && road.tell({ type: 'set_devices', ...devices }), {
    immediate: true,
  })

  function listen(track: MediaStreamTrack | null) {
    meter?.close()
    meter = null
    level.value = 0
    silent.value = false
    if (!track) return
    heardAt = Date.now()
    meter = new LevelMeter(track, (now) => {
      level.value = now
      if (now > SPEECH_LEVEL) heardAt = Date.now()
      silent.value = Date.now() - heardAt > SILENCE_MS
    })
  }

  function toggleMic() {
    if (!localMedia.mic.value) return void localMedia.startMic()
    muted.value = !muted.value
  }

  function toggleCamera() {
    if (localMedia.camera.value) localMedia.stopCamera()
    else void localMedia.startCamera()
  }

  async function share() {
    const opened = await openScreen()
    if (!opened.track) {
      if (opened.problem !== 'denied') toasts.show(i18n.global.t('errors.screen_failed'), 'error')
      return
    }
    if (!(await road.ask({ type: 'set_screen', sharing: true }))) return opened.track.stop()
    screen.value = opened.track
    opened.track.addEventListener('ended', stopSharing)
    await media.setScreen(opened.track)
  }

  function stopSharing() {
    screen.value?.stop()
    screen.value = null
    void media.setScreen(null)
    if (road.ownSeat.value?.sharing) road.tell({ type: 'set_screen', sharing: false })
  }

  watch(
    () => media.offers.value,
    () => screen.value && void media.setScreen(screen.value),
  )
  onScopeDispose(() => {
    meter?.close()
    screen.value?.stop()
  })

  return {
    mic,
    muted,
    granted,
    level,
    silent,
    screen,
    canShare: canShareScreen(),
    toggleMic,
    toggleCamera,
    share,
    stopSharing,
    /** Push to talk: open while held, and only with the floor. */
    hold: (down: boolean) => (holding.value = down && granted.value),
    holding,
  }
}

export type OwnVoice = ReturnType<typeof useOwnVoice>

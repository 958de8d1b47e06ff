import { onScopeDispose, ref, shallowRef, watch, type Ref } from 'vue'

import { steppedSpeed } from '../film/keys'
import { attachSource, type FilmSource, type SourceTrouble } from './filmSource'

export interface BufferedSpan {
  readonly starts_s: number
  readonly ends_s: number
}

const SPEED_KEY = 'diemcau.player.speed'
/** The playhead on a zoomed timeline must not jump. */
const LOOK_EVERY_MS = 80

/** A video element as the recording page sees it. `length_s` is what the recording says, before the video is known. */
export function useFilmPlayer(video: Ref<HTMLVideoElement | null>, length_s: Ref<number>) {
  const source = shallowRef<FilmSource | null>(null)
  const at_s = ref(0)
  const playing = ref(false)
  const waiting = ref(false)
  const seeking = ref(false)
  const trouble = ref<'' | SourceTrouble>('')
  const speed = ref(storedSpeed())
  const volume = ref(1)
  const muted = ref(false)
  const buffered = shallowRef<readonly BufferedSpan[]>([])
  const captionsOn = ref(false)
  let detach: () => void = () => undefined
  let attaching = 0

  async function attach(next: FilmSource | null, from_s = at_s.value) {
    const own = ++attaching
    const element = video.value
    const goOn = playing.value
    detach()
    detach = () => undefined
    source.value = next
    trouble.value = ''
    at_s.value = from_s
    buffered.value = []
    if (!element || !next) return
    waiting.value = true
    const undo = await attachSource(element, next, from_s, (why) => {
      trouble.value = why
      waiting.value = false
    })
    if (own !== attaching) return undo()
    detach = undo
    element.playbackRate = speed.value
    if (goOn) play()
  }

  function play() {
    // A browser that wants a click first leaves the video paused: the big button is still there.
    void video.value?.play().catch(() => undefined)
  }

  function toggle() {
    if (!video.value || !source.value) return
    if (video.value.paused) play()
    else video.value.pause()
  }

  function seek(to_s: number) {
    // The element cuts to microseconds; a chapter's start must not come out as the end of the one before.
    const wanted_s = Math.ceil(to_s * 1000) / 1000
    at_s.value = Math.min(Math.max(0, wanted_s), Math.max(0, length_s.value - 0.1))
    if (video.value) video.value.currentTime = at_s.value
  }

  function setSpeed(next: number) {
    speed.value = next
    if (video.value) video.value.playbackRate = next
    try {
      localStorage.setItem(SPEED_KEY, String(next))
    } catch {
      // The choice then holds for this visit only.
    }
  }

  function setVolume(next: number) {
    const element = video.value
    if (!element) return
    element.volume = Math.min(1, Math.max(0, next))
    element.muted = next <= 0
  }

  function look() {
    const element = video.value
    if (!element || element.seeking || element.readyState === 0) return
    at_s.value = element.currentTime
  }

  function lookAtBuffer() {
    const ranges = video.value?.buffered
    if (!ranges) return
    buffered.value = Array.from({ length: ranges.length }, (_, n) => ({
      starts_s: ranges.start(n),
      ends_s: ranges.end(n),
    }))
  }

  const timer = setInterval(() => playing.value && look(), LOOK_EVERY_MS)
  const listeners: Readonly<Record<string, () => void>> = {
    play: () => (playing.value = true),
    pause: () => (playing.value = false),
    ended: () => (playing.value = false),
    waiting: () => (waiting.value = true),
    playing: () => (waiting.value = false),
    canplay: () => (waiting.value = false),
    seeking: () => (seeking.value = true),
    seeked: () => ((seeking.value = false), look()),
    timeupdate: look,
    progress: lookAtBuffer,
    volumechange: () => {
      volume.value = video.value?.volume ?? 1
      muted.value = video.value?.muted ?? false
    },
    // A new source starts at the element's default speed again.
    loadedmetadata: () => video.value && (video.value.playbackRate = speed.value),
  }

  watch(video, (element, before) => {
    for (const [name, listener] of Object.entries(listeners)) {
      before?.removeEventListener(name, listener)
      element?.addEventListener(name, listener)
    }
  })
  watch(captionsOn, (on) => {
    for (const track of video.value?.textTracks ?? []) track.mode = on ? 'showing' : 'hidden'
  })
  onScopeDispose(() => {
    clearInterval(timer)
    attaching += 1
    detach()
  })

  return {
    source,
    at_s,
    playing,
    waiting,
    seeking,
    trouble,
    speed,
    volume,
    muted,
    buffered,
    captionsOn,
    length_s,
    attach,
    play,
    toggle,
    seek,
    setSpeed,
    setVolume,
    skip: (by_s: number) => seek(at_s.value + by_s),
    stepSpeed: (step: 1 | -1) => setSpeed(steppedSpeed(speed.value, step)),
    toggleMute: () => video.value && (video.value.muted = !video.value.muted),
  }
}

export type FilmPlayer = ReturnType<typeof useFilmPlayer>

function storedSpeed(): number {
  try {
    const stored = Number(localStorage.getItem(SPEED_KEY))
    return stored >= 0.5 && stored <= 2 ? stored : 1
  } catch {
    return 1
  }
}

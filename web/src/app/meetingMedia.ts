import { computed, onScopeDispose, ref, shallowRef, watch } from 'vue'

import type { LineReport } from '../protocol/connection'
import { judgeLine, sampleLine, type LineMemory } from '../media/line'
import { MediaPeer, type Slot } from '../media/peer'
import type { Answer, Welcome } from '../protocol/types.gen'
import { isSaving, localMedia, weakMachine } from './localMedia'
import type { MeetingRoad } from './meetingRoad'

/** none: not wanted (lobby, over); connecting: being set up; connected: flowing; lost: being set up again. */
export type MediaState = 'none' | 'connecting' | 'connected' | 'lost'

const AUDIO_SLOTS = 3
const PHONE_SLOTS = 4
const WEAK_SLOTS = 6
const SAMPLE_EVERY_MS = 2_000
/** `disconnected` heals by itself or by another way (ICE restart); after this long a new connection is quicker. */
const PATIENCE_MS = 4_000
const RETRY_MS = 5_000
const SHOW_DELAY_MS = 120

/** The media of one meeting: one peer connection at a time, replaced only after it failed. */
export function useMeetingMedia(road: MeetingRoad, line: { value: LineReport | null }) {
  const state = ref<MediaState>('none')
  const slots = shallowRef<readonly Slot[]>([])
  const offers = ref(0)
  const sizes = new Map<string, ReadonlyMap<string, number>>()
  let told = ''
  let peer: MediaPeer | null = null
  let welcome: Welcome | null = null
  let memory: LineMemory | null = null
  let restarting = false
  let retryTimer: ReturnType<typeof setTimeout> | null = null
  let showTimer: ReturnType<typeof setTimeout> | null = null

  const wanted = computed(() => {
    if (road.state.value !== 'open' || !road.room.value) return false
    const seat = road.ownSeat.value
    return !seat || seat.presence === 'present'
  })

  road.onWelcome((next) => {
    welcome = next
    // A resumed session keeps its media; any other has none yet at the server.
    restarting = false
    if (!next.resumed) return drop()
    peer?.setIceServers(next.ice_servers)
    if (peer && peer.pc.connectionState !== 'connected') heal()
  })
  road.onMessage((message) => {
    if (message.type === 'answer') void accept(message)
    if (message.type === 'layers') void peer?.setLayers(message.mid, message.rids)
    if (message.type === 'error' && message.about === 'offer') retryIn(RETRY_MS)
    if (message.type === 'ice_restarted') {
      restarting = false
      void peer?.resumeIce(message.fragment)
    }
    // The server has given that connection up.
    if (message.type === 'error' && message.about === 'restart_ice' && restarting) retryIn(0)
    if (message.type === 'ice_servers' && welcome) {
      welcome = { ...welcome, ice_servers: message.ice_servers }
      peer?.setIceServers(message.ice_servers)
    }
  })
  watch(wanted, (yes) => yes && !peer && void connect())
  watch(
    () => road.state.value === 'over' || road.state.value === 'refused',
    (over) => over && drop(),
  )
  watch(localMedia.mic, (track) => void peer?.setMic(track))
  watch(localMedia.camera, (track) => void peer?.setCamera(track))

  async function connect() {
    if (!welcome || !wanted.value) return
    drop()
    restarting = false
    const publish = welcome.you.seat_id !== null
    const created = new MediaPeer(
      {
        publish,
        audioSlots: AUDIO_SLOTS,
        videoSlots: videoSlots(welcome.video_slots),
        simulcast: !isSaving(),
        iceServers: welcome.ice_servers,
      },
      (next) => peer === created && changed(next),
    )
    peer = created
    state.value = offers.value === 0 ? 'connecting' : 'lost'
    const offer = await created.offer({ mic: localMedia.mic.value, camera: localMedia.camera.value })
    if (peer !== created) return
    offers.value += 1
    road.send({ type: 'offer', sdp: offer.sdp, tracks: offer.tracks })
  }

  async function accept(answer: Answer) {
    const current = peer
    if (!current || current.pc.signalingState !== 'have-local-offer') return
    const accepted = await current.accept(answer.sdp, answer.slots)
    if (peer !== current) return
    slots.value = accepted
    told = ''
    tellSizes()
    // Devices may have come or gone while the offer was under way.
    await current.setMic(localMedia.mic.value)
    await current.setCamera(localMedia.camera.value)
  }

  function changed(next: RTCPeerConnectionState) {
    if (next === 'connected') {
      cancelRetry()
      state.value = 'connected'
    } else if (next === 'disconnected' || next === 'failed') {
      state.value = 'lost'
      heal()
    } else if (next === 'closed') {
      state.value = 'lost'
      retryIn(0)
    }
  }

  /** The same media by another way, or soon a new connection. The signalling may have lost its way too. */
  function heal() {
    road.suspect()
    if (road.state.value === 'open' && !restarting) void restart()
    retryIn(PATIENCE_MS)
  }

  async function restart() {
    const current = peer
    restarting = true
    const fragment = await current?.restartIce()
    if (fragment && peer === current) road.send({ type: 'restart_ice', fragment })
    else restarting = false
  }

  function retryIn(delay_ms: number) {
    cancelRetry()
    retryTimer = setTimeout(() => {
      // Without signalling there is nobody to offer to; the next welcome decides.
      if (wanted.value) void connect()
    }, delay_ms)
  }

  function cancelRetry() {
    if (retryTimer) clearTimeout(retryTimer)
    retryTimer = null
  }

  function drop() {
    cancelRetry()
    if (!peer) return
    peer.close()
    peer = null
    memory = null
    line.value = null
    slots.value = []
    state.value = 'none'
    road.forgetFeeds()
  }

  /** How tall each video slot is shown by one part of the page (`who`); slots nobody names are hidden. */
  function show(who: string, shown: ReadonlyMap<string, number>) {
    sizes.set(who, shown)
    showTimer ??= setTimeout(() => {
      showTimer = null
      tellSizes()
    }, SHOW_DELAY_MS)
  }

  function shownHeight(mid: string): number {
    return Math.round(Math.max(0, ...[...sizes.values()].map((shown) => shown.get(mid) ?? 0)))
  }

  function tellSizes() {
    const list = slots.value
      .filter((slot) => slot.kind === 'video')
      .map(({ mid }) => ({ mid, height: shownHeight(mid) }))
    const text = JSON.stringify(list)
    if (list.length === 0 || text === told || road.state.value !== 'open') return
    told = text
    road.send({ type: 'show_slots', sizes: list })
  }

  async function sample() {
    if (!peer || state.value !== 'connected') {
      line.value = null
      return
    }
    const report = await peer.stats()
    const stats: (Record<string, unknown> & { type: string })[] = []
    report.forEach((stat) => stats.push(stat))
    const next = sampleLine(stats, memory)
    memory = next.memory
    line.value = next
  }

  const sampler = setInterval(() => void sample(), SAMPLE_EVERY_MS)
  onScopeDispose(() => {
    clearInterval(sampler)
    if (showTimer) clearTimeout(showTimer)
    drop()
  })

  return {
    state,
    slots,
    offers,
    show,
    setScreen: (track: MediaStreamTrack | null) => peer?.setScreen(track) ?? Promise.resolve(),
    quality: computed(() => (state.value === 'connected' ? judgeLine(line.value) : 'none')),
  }
}

function videoSlots(allowed: number): number {
  const isPhone = Math.min(screen.width, screen.height) < 600
  return Math.min(allowed, isPhone ? PHONE_SLOTS : weakMachine ? WEAK_SLOTS : allowed)
}

export type MeetingMedia = ReturnType<typeof useMeetingMedia>

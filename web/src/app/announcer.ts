import { ref, shallowRef, watch } from 'vue'
import { useI18n } from 'vue-i18n'

import type { Meeting } from './meeting'

/** A large line over the stage for a few seconds: the person may be looking at the room, not at the bar. */
export interface Notice {
  tone: 'granted' | 'ended'
  text: string
}

const NOTICE_MS = 6_000

/** Changes of the floor in words, for people who do not look at the screen just then. */
export function useAnnouncements(meeting: Meeting) {
  const { t } = useI18n()
  const polite = ref('')
  const urgent = ref('')
  const notice = shallowRef<Notice | null>(null)
  const { road, voice } = meeting
  let timer: ReturnType<typeof setTimeout> | undefined

  watch(notice, (shown) => {
    clearTimeout(timer)
    if (shown) timer = setTimeout(() => (notice.value = null), NOTICE_MS)
  })

  watch(road.standing, (now, before) => {
    if (now.kind === 'lost') notice.value = null
    if (now.kind === 'lost' || before.kind === 'lost') return
    const waited = before.kind === 'queued' || before.kind === 'on_deck'
    if (now.kind === 'speaking' && !now.byRight && before.kind !== 'speaking' && before.kind !== 'watching') {
      urgent.value = voice.muted.value ? t('announce.grantedMuted') : t('announce.granted')
      notice.value = { tone: 'granted', text: t('announce.invited') }
    } else if (before.kind === 'speaking' && now.kind === 'muted') {
      urgent.value = t('announce.withdrawn')
      if (!road.justAsked('release_floor') && !road.justAsked('mute_all'))
        notice.value = { tone: 'ended', text: t('announce.withdrawn') }
    } else if (waited && now.kind === 'muted' && !road.justAsked('cancel_request')) {
      urgent.value = t('announce.denied')
      notice.value = { tone: 'ended', text: t('announce.denied') }
    } else if (now.kind === 'on_deck' && before.kind !== 'on_deck') {
      urgent.value = t('announce.onDeck')
    } else if (now.kind === 'queued' && before.kind === 'muted') {
      polite.value = t('announce.queued', { position: now.position })
    } else if (
      now.kind === 'speaking' &&
      before.kind === 'speaking' &&
      (now.endsAt ?? 0) > (before.endsAt ?? 0)
    ) {
      polite.value = t('announce.extended')
    }
  })

  watch(
    () => road.room.value?.floor,
    (now, before) => {
      if (!now || !before) return
      const own = road.room.value?.you.seat_id
      const known = new Set(before.holders.map((holder) => holder.seat_id))
      const fresh = now.holders.find((holder) => !known.has(holder.seat_id) && holder.seat_id !== own)
      if (fresh) polite.value = t('announce.nowSpeaking', { name: meeting.seatName(fresh.seat_id) })
      if (!road.may('grant_floor')) return
      const waiting = new Set(before.queue.map((request) => request.seat_id))
      const asked = now.queue.find((request) => !waiting.has(request.seat_id))
      if (asked) polite.value = t('announce.newRequest', { name: meeting.seatName(asked.seat_id) })
    },
  )

  return { polite, urgent, notice }
}

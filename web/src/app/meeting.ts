import { inject, provide, shallowRef, type InjectionKey } from 'vue'

import type { LineReport } from '../protocol/connection'
import { useMeetingMedia, type MeetingMedia } from './meetingMedia'
import { useMeetingRoad, type MeetingRoad } from './meetingRoad'
import { useOwnVoice, type OwnVoice } from './ownVoice'

/** Everything a meeting page's parts share. */
export interface Meeting {
  id: string
  road: MeetingRoad
  media: MeetingMedia
  voice: OwnVoice
  line: { readonly value: LineReport | null }
  seatName(seatId: string | null): string
}

const KEY: InjectionKey<Meeting> = Symbol('meeting')

export function provideMeeting(id: string): Meeting {
  const line = shallowRef<LineReport | null>(null)
  const road = useMeetingRoad(id, () => reportOf(line.value))
  const media = useMeetingMedia(road, line)
  const voice = useOwnVoice(road, media)
  const seatName = (seatId: string | null) => (seatId && road.room.value?.seats.get(seatId)?.name) || ''
  const meeting = { id, road, media, voice, line, seatName }
  provide(KEY, meeting)
  return meeting
}

export function useMeeting(): Meeting {
  const meeting = inject(KEY)
  if (!meeting) throw new Error('no meeting is provided here')
  return meeting
}

/** What the server accepts in a ping: whole freezes, no fields of our own. */
function reportOf(line: LineReport | null): LineReport {
  return {
    rtt_ms: line?.rtt_ms ?? null,
    loss_percent: line?.loss_percent ?? null,
    freezes: line?.freezes ?? null,
  }
}

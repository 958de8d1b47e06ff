import { CircleCheck, Clock3, Eye, Hourglass, Mic, MicOff, UserX, WifiOff } from '@lucide/vue'
import type { Component } from 'vue'

import { clockText, secondsLeft, type Standing, type StandingKind } from '../protocol/standing'

/** Each standing has its own sign beside its words and colour. */
export const STANDING_ICONS: Record<StandingKind, Component> = {
  watching: Eye,
  absent: UserX,
  removed: UserX,
  lobby: Hourglass,
  lost: WifiOff,
  muted: MicOff,
  queued: Clock3,
  on_deck: CircleCheck,
  speaking: Mic,
}

type Translate = (key: string, values?: Record<string, unknown>) => string

/** "Đã đăng ký, thứ 3", "Đang phát biểu – còn 02:31", ... */
export function standingText(standing: Standing, now_s: number, t: Translate): string {
  if (standing.kind === 'queued') return t('standing.queued', { position: standing.position })
  if (standing.kind !== 'speaking' || standing.endsAt === null) return t(`standing.${standing.kind}`)
  const left = t('standing.left', { time: clockText(secondsLeft(standing.endsAt, now_s)) })
  return `${t('standing.speaking')} – ${left}`
}

import { computed } from 'vue'

import type { Meeting } from '../app/meeting'
import type { CommandType } from '../protocol/types.gen'

/** A deputy has these only while acting as the chair (docs/roles.md). */
const ONLY_ACTING: ReadonlySet<CommandType> = new Set<CommandType>([
  'grant_floor',
  'deny_request',
  'revoke_floor',
  'extend_floor',
  'move_request',
  'set_priority',
  'mute_all',
  'unmute_by_right',
  'set_mode',
  'start_recording',
  'stop_recording',
  'end_meeting',
])

/** What the person at this desk may do now: buttons that would be refused are not offered. */
export function useRights({ road }: Meeting) {
  const acting = computed(() => road.room.value?.meeting.acting_chair === road.room.value?.you.account_id)
  const isDeputy = computed(() => road.room.value?.you.role === 'deputy')
  return {
    acting,
    isDeputy,
    can(type: CommandType): boolean {
      if (road.state.value !== 'open' || !road.may(type)) return false
      return !isDeputy.value || acting.value || !ONLY_ACTING.has(type)
    },
  }
}

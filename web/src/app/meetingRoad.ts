import { computed, onScopeDispose, ref, shallowRef } from 'vue'

import {
  CommandRefused,
  Connection,
  type ConnectionState,
  type LineReport,
  type Socket,
} from '../protocol/connection'
import { applyMessage, enterRoom, withoutFeeds, type RoomState } from '../protocol/room'
import { standingOf, type Standing } from '../protocol/standing'
import type { FromServer, PersonCommand, Welcome } from '../protocol/types.gen'
import { api, ApiError, meetingSocketUrl } from './api'
import { session } from './session'
import { toasts } from './toasts'

/** Why the meeting is over for this page: a good-bye's or a refusal's code. */
export interface Ending {
  code: string
  detail: string
}

const SEAT_RETRY_MS = 800

interface Listeners {
  welcome: ((welcome: Welcome) => void)[]
  message: ((message: FromServer) => void)[]
}

/** Signalling of one meeting as the page sees it: the room's state, our own place in it, and commands. */
export function useMeetingRoad(meetingId: string, line: () => LineReport) {
  const room = shallowRef<RoomState | null>(null)
  const state = ref<ConnectionState>('connecting')
  const ending = shallowRef<Ending | null>(null)
  let insisted = false
  let disposed = false
  const askedAt = new Map<PersonCommand['type'], number>()
  const listeners: Listeners = { welcome: [], message: [] }

  const connection = new Connection({
    open: () => new WebSocket(meetingSocketUrl(meetingId, location)) as Socket,
    client: navigator.userAgent,
    line,
    events: {
      state(next) {
        state.value = next
        if (next === 'reconnecting' && connection.attempts >= 1) void checkSignIn()
      },
      welcome(welcome) {
        room.value = enterRoom(welcome, room.value)
        for (const listener of listeners.welcome) listener(welcome)
      },
      message(message) {
        if (room.value) room.value = applyMessage(room.value, message)
        for (const listener of listeners.message) listener(message)
      },
      refused(code, detail) {
        // After a reload the server may not have noticed yet that the old page is gone.
        if (code === 'seat_taken' && !insisted) {
          insisted = true
          setTimeout(() => disposed || connection.start(), SEAT_RETRY_MS)
        } else ending.value = { code, detail }
      },
      over: (code, detail) => (ending.value = { code, detail }),
    },
  })

  /** A WebSocket that is refused for want of a sign-in only looks like a lost line. */
  async function checkSignIn() {
    try {
      await api.me()
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 401) return
      connection.abandon()
      session.forget()
      ending.value = { code: 'signed_out', detail: '' }
    }
  }

  function start(takeOver = false) {
    ending.value = null
    insisted = false
    connection.start(takeOver)
  }

  /** Ask the room; a refusal is said in a toast. Returns whether it was done. */
  async function ask(command: PersonCommand): Promise<boolean> {
    askedAt.set(command.type, Date.now())
    try {
      await connection.ask(command)
      return true
    } catch (error) {
      if (!(error instanceof CommandRefused)) throw error
      toasts.refusal(error)
      return false
    }
  }

  const wake = () => connection.wake()
  window.addEventListener('online', wake)
  onScopeDispose(() => {
    disposed = true
    window.removeEventListener('online', wake)
    connection.abandon()
  })

  const ownSeat = computed(() => {
    const seatId = room.value?.you.seat_id
    return seatId ? room.value?.seats.get(seatId) : undefined
  })
  /** As the server last said. */
  const toldStanding = computed<Standing>(() =>
    room.value ? standingOf(ownSeat.value, room.value.floor) : { kind: 'watching' },
  )
  const standing = computed<Standing>(() => {
    const told = toldStanding.value
    return state.value === 'open' || told.kind === 'watching' ? told : { kind: 'lost', until: null }
  })

  return {
    room,
    state,
    ending,
    ownSeat,
    standing,
    toldStanding,
    start,
    ask,
    /** Whether this page itself asked for it a moment ago: what then happens is no news to the person. */
    justAsked: (type: PersonCommand['type']) => Date.now() - (askedAt.get(type) ?? 0) < 3_000,
    /** A command whose refusal is of no interest to the person. */
    tell: (command: PersonCommand) => void connection.ask(command).catch(() => undefined),
    send: connection.send.bind(connection),
    suspect: connection.suspect.bind(connection),
    leave: connection.leave.bind(connection),
    /** What the server's clock says now, in Unix seconds. */
    serverNow: (now_ms = Date.now()) => now_ms / 1000 + connection.serverAhead_s,
    may: (type: PersonCommand['type']) => room.value?.you.may.includes(type) ?? false,
    forgetFeeds: () => room.value && (room.value = withoutFeeds(room.value)),
    onWelcome: (listener: (welcome: Welcome) => void) => listeners.welcome.push(listener),
    onMessage: (listener: (message: FromServer) => void) => listeners.message.push(listener),
  }
}

export type MeetingRoad = ReturnType<typeof useMeetingRoad>

import type {
  Alarm,
  ChatView,
  FloorView,
  FromServer,
  LinkView,
  MeetingView,
  SeatView,
  SlotFeed,
  StageView,
  Welcome,
  You,
} from './types.gen'

/** All a client knows of its meeting. Never changed in place: each section is replaced when it changes. */
export interface RoomState {
  readonly you: You
  readonly meeting: MeetingView
  readonly seats: ReadonlyMap<string, SeatView>
  readonly floor: FloorView
  readonly stage: StageView
  readonly chat: readonly ChatView[]
  readonly speaking: readonly string[]
  readonly links: ReadonlyMap<string, LinkView>
  readonly feeds: ReadonlyMap<string, SlotFeed>
  readonly alarms: ReadonlyMap<string, Alarm>
  /** What the own line costs: none, pictures, all_pictures. */
  readonly shortage: string
}

const CHAT_KEPT = 500

/** The state after a welcome. A resumed session keeps what its slots carry; a new one starts with empty slots. */
export function enterRoom(welcome: Welcome, before: RoomState | null): RoomState {
  const kept = welcome.resumed ? before : null
  return {
    you: welcome.you,
    meeting: welcome.room.meeting,
    seats: new Map(welcome.room.seats.map((seat) => [seat.seat_id, seat])),
    floor: welcome.room.floor,
    stage: welcome.room.stage,
    chat: welcome.room.chat,
    speaking: kept?.speaking ?? [],
    links: kept?.links ?? new Map(),
    feeds: kept?.feeds ?? new Map(),
    alarms: kept?.alarms ?? new Map(),
    shortage: kept?.shortage ?? 'none',
  }
}

/** The state after a message; messages that say nothing about the room leave it as it is. */
export function applyMessage(state: RoomState, message: FromServer): RoomState {
  switch (message.type) {
    case 'seat':
      return { ...state, seats: withEntry(state.seats, message.seat.seat_id, message.seat) }
    case 'floor':
      return { ...state, floor: message.floor }
    case 'stage':
      return { ...state, stage: message.stage }
    case 'meeting':
      return { ...state, meeting: message.meeting }
    case 'chat':
      return { ...state, chat: withLine(state.chat, message.line) }
    case 'speaking':
      return { ...state, speaking: message.seat_ids }
    case 'links':
      return { ...state, links: withAll(state.links, message.links, (link) => link.seat_id) }
    case 'slots':
      return { ...state, feeds: withAll(state.feeds, message.feeds, (feed) => feed.mid) }
    case 'shortage':
      return { ...state, shortage: message.level }
    case 'alarm':
      return { ...state, alarms: withEntry(state.alarms, message.code, message) }
    default:
      return state
  }
}

/** Slots of a peer connection that is gone carry nothing. */
export function withoutFeeds(state: RoomState): RoomState {
  return { ...state, feeds: new Map(), speaking: [], shortage: 'none' }
}

function withLine(chat: readonly ChatView[], line: ChatView): readonly ChatView[] {
  if (chat.some((known) => known.seq === line.seq)) return chat
  return [...chat, line].slice(-CHAT_KEPT)
}

function withEntry<V>(map: ReadonlyMap<string, V>, key: string, value: V): ReadonlyMap<string, V> {
  return new Map(map).set(key, value)
}

function withAll<V>(
  map: ReadonlyMap<string, V>,
  values: readonly V[],
  key: (value: V) => string,
): ReadonlyMap<string, V> {
  const next = new Map(map)
  for (const value of values) next.set(key(value), value)
  return next
}

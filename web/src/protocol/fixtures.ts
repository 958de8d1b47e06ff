import type { FloorView, MeetingView, RoomView, SeatView, Welcome } from './types.gen'

/** A small meeting for tests: the chair's desk, the main endpoint and three branches. */
export function seat(id: string, over: Partial<SeatView> = {}): SeatView {
  return {
    seat_id: id,
    name: `Điểm cầu ${id}`,
    unit_path: ['Tỉnh', 'Huyện Mường Pha', `Xã ${id}`],
    role: 'branch',
    presence: 'present',
    mic_muted: false,
    camera_off: false,
    sharing: false,
    since: 0,
    ...over,
  }
}

export const emptyFloor: FloorView = {
  mode: 'lecture',
  max_holders: 3,
  all_muted: false,
  holders: [],
  queue: [],
}

const meeting: MeetingView = {
  meeting_id: 'mtg_1',
  title: 'Giao ban',
  host_agency: 'Văn phòng UBND tỉnh',
  locked: false,
  lobby: false,
  ended: false,
  acting_chair: null,
  moderators: [],
  recording: null,
}

export function roomView(over: Partial<RoomView> = {}): RoomView {
  return {
    meeting,
    seats: [seat('a'), seat('b'), seat('c')],
    floor: emptyFloor,
    stage: { layout: 'auto', pinned: [], pictures: [] },
    chat: [],
    ...over,
  }
}

export function welcome(over: Partial<Welcome> = {}): Welcome {
  return {
    type: 'welcome',
    version: 1,
    session: 's_1',
    resume: 'token',
    resumed: false,
    server_time: 1000,
    you: { account_id: 'acc', name: 'A', role: 'endpoint', seat_id: 'a', may: ['request_floor'] },
    room: roomView(),
    ice_servers: [],
    video_slots: 9,
    ...over,
  }
}

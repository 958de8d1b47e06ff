import type { LayoutName, PictureView, SeatView, SlotFeed, StageView } from './types.gen'

/** A picture's place on the stage, in CSS pixels from its top left corner. */
export interface Place {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

const RATIO = 16 / 9
/** On a phone equal pictures are all too small: one is shown large. CSS pixels. */
const SMALL_STAGE = 500

/** How many pictures a layout has room for; null: as many as there are. */
export function layoutRoom(layout: LayoutName): number | null {
  const room = { auto: null, single: 1, side_by_side: 2, grid_4: 4, grid_9: 9, grid_16: 16, main_strip: null }
  return room[layout]
}

/**
 * Where `count` pictures go on a stage of the given size, best first. Pictures keep 16:9, so none is ever cropped
 * or stretched. `screenFirst`: the first is a shared screen, which takes all the room it can.
 */
export function arrange(
  layout: LayoutName,
  count: number,
  width: number,
  height: number,
  gap: number,
  screenFirst = false,
): Place[] {
  const shown = Math.min(count, layoutRoom(layout) ?? count)
  if (shown === 0 || width <= 0 || height <= 0) return []
  if (shown === 1) return [fit({ x: 0, y: 0, width, height })]
  const crowded = screenFirst || shown > 4 || shown === 3 || width < SMALL_STAGE
  const strip = layout === 'main_strip' || (layout === 'auto' && crowded)
  return strip ? mainAndStrip(shown, width, height, gap) : grid(shown, width, height, gap)
}

/** Names under narrower pictures could not be read. CSS pixels. */
const LEGIBLE_WIDTH = 132

/** How many of `count` pictures an automatic stage of this size shows, so that each can still be made out. */
export function legibleCount(
  layout: LayoutName,
  count: number,
  width: number,
  height: number,
  gap: number,
  screenFirst = false,
): number {
  if (layout !== 'auto') return count
  for (let shown = count; shown > 2; shown -= 1) {
    const places = arrange(layout, shown, width, height, gap, screenFirst)
    if (places.every((place) => place.width >= LEGIBLE_WIDTH)) return shown
  }
  return Math.min(count, 2)
}

/** The largest 16:9 in a box, centred. */
function fit(box: Place): Place {
  const width = Math.min(box.width, box.height * RATIO)
  const height = width / RATIO
  return { x: box.x + (box.width - width) / 2, y: box.y + (box.height - height) / 2, width, height }
}

/** Equal pictures: the number of columns that makes them largest; the last row is centred. */
function grid(count: number, width: number, height: number, gap: number): Place[] {
  let best = { columns: 1, tile: 0 }
  for (let columns = 1; columns <= count; columns += 1) {
    const rows = Math.ceil(count / columns)
    const byWidth = (width - gap * (columns - 1)) / columns
    const byHeight = ((height - gap * (rows - 1)) / rows) * RATIO
    const tile = Math.min(byWidth, byHeight)
    if (tile > best.tile) best = { columns, tile }
  }
  const { columns, tile } = best
  const tileHeight = tile / RATIO
  const rows = Math.ceil(count / columns)
  const top = (height - rows * tileHeight - (rows - 1) * gap) / 2
  return Array.from({ length: count }, (_, index) => {
    const row = Math.floor(index / columns)
    const inRow = row === rows - 1 ? count - row * columns : columns
    const left = (width - inRow * tile - (inRow - 1) * gap) / 2
    return {
      x: left + (index % columns) * (tile + gap),
      y: top + row * (tileHeight + gap),
      width: tile,
      height: tileHeight,
    }
  })
}

/** One large picture and the rest in a strip: beside it on a wide stage, below it on a tall one. */
function mainAndStrip(count: number, width: number, height: number, gap: number): Place[] {
  const rest = count - 1
  const beside = sideStrip(rest, width, height, gap)
  const below = bottomStrip(rest, width, height, gap)
  return area(beside[0]) >= area(below[0]) ? beside : below
}

function sideStrip(rest: number, width: number, height: number, gap: number): Place[] {
  const lines = rest > 6 ? 2 : 1
  const perLine = Math.ceil(rest / lines)
  const tileHeight = Math.min((height - gap * (perLine - 1)) / perLine, (width * 0.24) / lines / RATIO)
  const tileWidth = tileHeight * RATIO
  const stripWidth = tileWidth * lines + gap * (lines - 1)
  const main = fit({ x: 0, y: 0, width: width - stripWidth - gap, height })
  const total = main.width + gap + stripWidth
  const left = (width - total) / 2
  const top = (height - perLine * tileHeight - (perLine - 1) * gap) / 2
  const strip = Array.from({ length: rest }, (_, index) => ({
    x: left + main.width + gap + Math.floor(index / perLine) * (tileWidth + gap),
    y: top + (index % perLine) * (tileHeight + gap),
    width: tileWidth,
    height: tileHeight,
  }))
  return [{ ...main, x: left }, ...strip]
}

function bottomStrip(rest: number, width: number, height: number, gap: number): Place[] {
  const lines = rest > 6 ? 2 : 1
  const perLine = Math.ceil(rest / lines)
  const tileWidth = Math.min((width - gap * (perLine - 1)) / perLine, (height * 0.3 * RATIO) / lines)
  const tileHeight = tileWidth / RATIO
  const stripHeight = tileHeight * lines + gap * (lines - 1)
  const main = fit({ x: 0, y: 0, width, height: height - stripHeight - gap })
  const total = main.height + gap + stripHeight
  const top = (height - total) / 2
  const strip = Array.from({ length: rest }, (_, index) => {
    const line = Math.floor(index / perLine)
    const inLine = line === lines - 1 ? rest - line * perLine : perLine
    const left = (width - inLine * tileWidth - (inLine - 1) * gap) / 2
    return {
      x: left + (index % perLine) * (tileWidth + gap),
      y: top + main.height + gap + line * (tileHeight + gap),
      width: tileWidth,
      height: tileHeight,
    }
  })
  return [{ ...main, y: top }, ...strip]
}

function area(place: Place | undefined): number {
  return place ? place.width * place.height : 0
}

/** One picture on this viewer's stage and the slot it is in; `fed`: the server says that the slot carries it. */
export interface Tile {
  readonly mid: string
  readonly seatId: string
  readonly track: string
  readonly fed: boolean
}

/** More would be stamps: the rest of an automatic stage stays hidden, and costs no line. */
const AUTO_SHOWN = 9

/**
 * Which pictures are shown, best first, in which of the video slots `mids`. One's own are left out (the server does
 * not send them), as are cameras that are off, unless nothing else is left to show.
 */
export function pickTiles(
  stage: StageView,
  seats: ReadonlyMap<string, SeatView>,
  feeds: ReadonlyMap<string, SlotFeed>,
  mids: readonly string[],
  ownSeatId: string | null,
): Tile[] {
  const others = stage.pictures.filter((picture) => picture.seat_id !== ownSeatId)
  const midOf = new Map(
    mids.flatMap((mid) => {
      const feed = feeds.get(mid)
      return feed?.seat_id ? [[`${feed.seat_id} ${feed.track}`, mid] as const] : []
    }),
  )
  const fedMid = (picture: PictureView) => midOf.get(`${picture.seat_id} ${picture.track}`)
  const isLive = (picture: PictureView) => {
    const seat = seats.get(picture.seat_id)
    if (!seat || seat.presence === 'absent') return false
    return picture.track === 'screen' || !seat.camera_off
  }
  const live = others.filter(isLive)
  const room = Math.min(layoutRoom(stage.layout) ?? AUTO_SHOWN, mids.length)
  const shown = (live.length > 0 ? live : others.slice(0, 1)).slice(0, room)
  const taken = new Set(shown.map(fedMid))
  const free = mids.filter((mid) => !taken.has(mid))
  return shown.flatMap((picture) => {
    const mid = fedMid(picture) ?? free.shift()
    if (mid === undefined) return []
    return [{ mid, seatId: picture.seat_id, track: picture.track, fed: fedMid(picture) !== undefined }]
  })
}

/** The part of the film that the timeline shows: `width_px` wide, `zoom` times as long as the whole film. */
export interface View {
  readonly length_s: number
  readonly width_px: number
  readonly zoom: number
  /** How far it is scrolled, in pixels of the zoomed timeline. */
  readonly scroll_px: number
}

export interface Box {
  readonly x: number
  readonly width: number
}

/** The narrowest a turn is drawn: a moment's word in a day's meeting must still be seen. */
const NARROWEST_PX = 3
/** At most a second every 40 pixels: nothing finer is in a recording's timeline. */
const CLOSEST_PX_PER_S = 40

export function totalPx(view: View): number {
  return view.width_px * view.zoom
}

export function pxPerSecond(view: View): number {
  return totalPx(view) / Math.max(view.length_s, 0.001)
}

export function largestZoom(length_s: number, width_px: number): number {
  return Math.max(1, Math.floor((length_s * CLOSEST_PX_PER_S) / Math.max(width_px, 1)))
}

/** Where a moment is drawn, in pixels from the left edge of what is shown. */
export function xOf(view: View, at_s: number): number {
  return at_s * pxPerSecond(view) - view.scroll_px
}

/** The moment at a place; never outside the film. */
export function timeAt(view: View, x: number): number {
  return clamp((x + view.scroll_px) / pxPerSecond(view), 0, view.length_s)
}

/** From when to when is shown. */
export function shown(view: View): { from_s: number; to_s: number } {
  return { from_s: timeAt(view, 0), to_s: timeAt(view, view.width_px) }
}

/** Where a span is drawn, cut to what is shown; null where nothing of it is. */
export function boxOf(view: View, starts_s: number, ends_s: number): Box | null {
  const start = xOf(view, starts_s)
  const end = Math.max(xOf(view, ends_s), start + NARROWEST_PX)
  const left = Math.max(start, -NARROWEST_PX)
  const right = Math.min(end, view.width_px + NARROWEST_PX)
  return right > left ? { x: left, width: right - left } : null
}

/** The scroll that keeps the moment at `x` where it is while the zoom changes. */
export function zoomAround(view: View, zoom: number, x: number): View {
  const bounded = clamp(zoom, 1, largestZoom(view.length_s, view.width_px))
  const at_s = timeAt(view, x)
  const next = { ...view, zoom: bounded }
  return { ...next, scroll_px: boundedScroll(next, at_s * pxPerSecond(next) - x) }
}

/** The scroll that brings a moment into sight, or the same where it is in sight. */
export function scrollTo(view: View, at_s: number): number {
  const x = xOf(view, at_s)
  if (x >= 0 && x <= view.width_px) return view.scroll_px
  return boundedScroll(view, at_s * pxPerSecond(view) - view.width_px * 0.15)
}

function boundedScroll(view: View, scroll_px: number): number {
  return clamp(scroll_px, 0, totalPx(view) - view.width_px)
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), Math.max(low, high))
}

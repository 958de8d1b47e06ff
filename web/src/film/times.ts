/** 151 -> "02:31", 3725 -> "1:02:05". Film time is cut to whole seconds, as every player shows it. */
export function filmClock(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds))
  const s = String(whole % 60).padStart(2, '0')
  const minutes = Math.floor(whole / 60) % 60
  const hours = Math.floor(whole / 3600)
  return hours
    ? `${hours}:${String(minutes).padStart(2, '0')}:${s}`
    : `${String(minutes).padStart(2, '0')}:${s}`
}

export interface Duration {
  readonly hours: number
  readonly minutes: number
  readonly seconds: number
}

/** Whole hours, minutes and seconds, to be said in words. */
export function splitSeconds(seconds: number): Duration {
  const whole = Math.max(0, Math.floor(seconds))
  return { hours: Math.floor(whole / 3600), minutes: Math.floor(whole / 60) % 60, seconds: whole % 60 }
}

/** The second named by `?t=`: "95", "95.5", "1:35", "1:02:05"; null for anything else. */
export function parseFilmTime(text: unknown): number | null {
  if (typeof text !== 'string' || !/^\d{1,6}(:\d{1,2}){0,2}(\.\d{1,3})?$/.test(text)) return null
  return text.split(':').reduce((total, part) => total * 60 + Number(part), 0)
}

const STEPS_S = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 28_800]

/** Round times between two moments, no more than fit at `apart_px`. */
export function ticksBetween(from_s: number, to_s: number, px_per_s: number, apart_px: number): number[] {
  const step = STEPS_S.find((it) => it * px_per_s >= apart_px) ?? STEPS_S.at(-1)!
  const ticks: number[] = []
  for (let at = Math.ceil(from_s / step) * step; at <= to_s; at += step) ticks.push(at)
  return ticks
}

/** The province keeps one time, wherever the browser thinks it is. */
const ZONE = 'Asia/Ho_Chi_Minh'

/** YYYY-MM-DD of a moment in the province's time. */
export function dayOf(moment: Date): string {
  return new Intl.DateTimeFormat('en-CA', {
    timeZone: ZONE,
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
  }).format(moment)
}

/** The day `days` after `day` (negative: before). */
export function shiftDay(day: string, days: number): string {
  const moment = new Date(`${day}T12:00:00+07:00`)
  moment.setUTCDate(moment.getUTCDate() + days)
  return dayOf(moment)
}

/** "Thứ Ba, 24 tháng 11, 2026". */
export function dayTitle(day: string, locale: string): string {
  const text = new Intl.DateTimeFormat(locale === 'en' ? 'en-GB' : 'vi-VN', {
    timeZone: ZONE,
    weekday: 'long',
    day: 'numeric',
    month: 'long',
    year: 'numeric',
  }).format(new Date(`${day}T12:00:00+07:00`))
  return text.charAt(0).toUpperCase() + text.slice(1)
}

/** "08:30" of Unix seconds. */
export function timeOfDay(unix_s: number): string {
  return new Intl.DateTimeFormat('en-GB', { timeZone: ZONE, hour: '2-digit', minute: '2-digit' }).format(
    unix_s * 1000,
  )
}

/** "24/11/2026" of Unix seconds. */
export function dateText(unix_s: number, locale: string): string {
  return new Intl.DateTimeFormat(locale === 'en' ? 'en-GB' : 'vi-VN', {
    timeZone: ZONE,
    day: '2-digit',
    month: '2-digit',
    year: 'numeric',
  }).format(unix_s * 1000)
}

import { useI18n } from 'vue-i18n'

import { sizeText } from '../film/sizes'
import { filmClock, splitSeconds } from '../film/times'
import { dateText, timeOfDay } from './dates'

/** Figures of a recording in words, in the reader's language. */
export function useWords() {
  const { t, te, locale } = useI18n()
  return {
    clock: filmClock,
    timeOfDay,
    /** "2 giờ 05 phút", "3 phút 20 giây". */
    length(seconds: number): string {
      const parts = splitSeconds(seconds)
      if (parts.hours) return t('archive.hours', { hours: parts.hours, minutes: parts.minutes })
      if (!parts.minutes) return t('archive.secondsOnly', { seconds: parts.seconds })
      return t(parts.seconds ? 'archive.minutes' : 'archive.minutesOnly', { ...parts })
    },
    size: (octets: number) => sizeText(octets, locale.value),
    /** "24/11/2026". */
    date: (unix_s: number) => dateText(unix_s, locale.value),
    number: (value: number) => value.toLocaleString(locale.value === 'en' ? 'en-GB' : 'vi-VN'),
    /** The text by a code that may be newer than this page; its own words for all the others. */
    byCode: (prefix: string, code: string, other: string) =>
      te(`${prefix}.${code}`) || te(`${prefix}.${code}`, 'vi') ? t(`${prefix}.${code}`) : other,
  }
}

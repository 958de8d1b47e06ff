import { createI18n } from 'vue-i18n'

import { vi } from '../locales/vi'
import { en } from '../locales/en'

export type Locale = 'vi' | 'en'

const KEY = 'diemcau.language'

export const i18n = createI18n({
  legacy: false,
  locale: storedLocale(),
  fallbackLocale: 'vi',
  messages: { vi, en },
  warnHtmlMessage: true,
})

document.documentElement.lang = i18n.global.locale.value

export function chooseLocale(locale: Locale): void {
  i18n.global.locale.value = locale
  document.documentElement.lang = locale
  try {
    localStorage.setItem(KEY, locale)
  } catch {
    // The choice then holds for this visit only.
  }
}

/** The words for a refusal's stable code, or the code itself in a sentence where there are none yet. */
export function refusalText(code: string): string {
  const { t, te } = i18n.global
  return te(`errors.${code}`) || te(`errors.${code}`, 'vi')
    ? t(`errors.${code}`)
    : t('errors.generic', { code })
}

function storedLocale(): Locale {
  try {
    return localStorage.getItem(KEY) === 'en' ? 'en' : 'vi'
  } catch {
    return 'vi'
  }
}

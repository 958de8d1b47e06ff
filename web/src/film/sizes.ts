const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'] as const

/** 1536000 -> "1,5 MB" or "1.5 MB" by the language; decimal units, as shops and file managers count. */
export function sizeText(octets: number, locale: string): string {
  const power = octets < 1000 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log10(octets) / 3))
  const value = octets / 1000 ** power
  const digits = power === 0 || value >= 100 ? 0 : 1
  const number = new Intl.NumberFormat(locale === 'en' ? 'en-GB' : 'vi-VN', { maximumFractionDigits: digits })
  return `${number.format(value)} ${UNITS[power]}`
}

import { expect, it } from 'vitest'

import { rawKeyOf } from './pem'
import { sizeText } from './sizes'

it.each([
  [0, 'vi', '0 B'],
  [999, 'vi', '999 B'],
  [1_536_000, 'vi', '1,5 MB'],
  [1_536_000, 'en', '1.5 MB'],
  [210_000_000, 'en', '210 MB'],
  [4_200_000_000, 'vi', '4,2 GB'],
  [1e15, 'en', '1,000 TB'],
])('%d octets in %s are %s', (octets, locale, text) => expect(sizeText(octets, locale)).toBe(text))

it('reads the key that a log names out of its PEM (RFC 8410 section 10.1)', () => {
  const body = 'MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE='
  const pem = `-----BEGIN PUBLIC KEY-----\n${body}\n-----END PUBLIC KEY-----\n`
  expect(rawKeyOf(pem)).toBe('Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=')
})

it.each(['', 'hello', '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----'])(
  '%j is no key',
  (pem) => {
    expect(rawKeyOf(pem)).toBe('')
  },
)

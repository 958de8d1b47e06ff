import { expect, it } from 'vitest'

import { loudness } from './sound'

const tone = (amplitude: number) => Float32Array.from({ length: 480 }, (_, n) => amplitude * Math.sin(n / 4))

it('shows silence as nothing and full scale as all', () => {
  expect(loudness(new Float32Array(480))).toBe(0)
  expect(loudness(new Float32Array(0))).toBe(0)
  expect(loudness(tone(1))).toBe(1)
})

it('grows with the decibels', () => {
  const [whisper, speech, shout] = [tone(0.01), tone(0.1), tone(0.4)].map(loudness)
  expect(whisper).toBeGreaterThan(0)
  expect(speech).toBeGreaterThan(whisper ?? 1)
  expect(shout).toBeGreaterThan(speech ?? 1)
})

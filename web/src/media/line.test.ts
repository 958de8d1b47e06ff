import { describe, expect, it } from 'vitest'

import { judgeLine, sampleLine } from './line'

const inbound = (received: number, lost: number, freezes = 0) => ({
  type: 'inbound-rtp',
  packetsReceived: received,
  packetsLost: lost,
  freezeCount: freezes,
})
const pair = { type: 'candidate-pair', nominated: true, currentRoundTripTime: 0.045 }

describe('sampling', () => {
  it('knows no loss from one sample alone', () => {
    expect(sampleLine([pair, inbound(100, 5)], null)).toMatchObject({
      rtt_ms: 45,
      loss_percent: null,
      freezes: null,
    })
  })

  it('takes differences, summed over all streams', () => {
    const before = sampleLine([inbound(100, 0, 1), inbound(50, 0)], null).memory
    const after = sampleLine([inbound(190, 10, 3), inbound(50, 0)], before)
    expect(after).toMatchObject({ loss_percent: 10, freezes: 2 })
  })

  it('takes the worse of both directions', () => {
    const before = sampleLine([inbound(0, 0)], null).memory
    const up = { type: 'remote-inbound-rtp', fractionLost: 0.2 }
    expect(sampleLine([inbound(98, 2), up], before).loss_percent).toBeCloseTo(20)
  })

  it('is not upset by counters that start anew or by nothing received', () => {
    const before = sampleLine([inbound(100, 10, 4)], null).memory
    expect(sampleLine([inbound(0, 0)], before)).toMatchObject({ loss_percent: null, freezes: 0 })
    expect(sampleLine([{ type: 'candidate-pair', nominated: false }], null).rtt_ms).toBeNull()
  })
})

describe('judging', () => {
  const report = (rtt_ms: number, loss_percent: number, freezes = 0) => ({ rtt_ms, loss_percent, freezes })
  it.each([
    [null, 'none'],
    [report(40, 0), 'good'],
    [report(301, 0), 'fair'],
    [report(40, 4), 'fair'],
    [report(40, 0, 1), 'fair'],
    [report(601, 0), 'poor'],
    [report(40, 11), 'poor'],
    [report(40, 0, 3), 'poor'],
    [{ rtt_ms: null, loss_percent: null, freezes: null }, 'good'],
  ] as const)('%o is %s', (line, quality) => expect(judgeLine(line)).toBe(quality))
})

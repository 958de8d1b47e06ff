import type { LineReport } from '../protocol/connection'

/** Counters of the last sample, to take differences from. */
export interface LineMemory {
  received: number
  lost: number
  freezes: number
}

export interface LineSample extends LineReport {
  memory: LineMemory
}

/** Said in words to the person at the endpoint. `none`: there is no media connection now. */
export type LineQuality = 'good' | 'fair' | 'poor' | 'none'

type Stat = Record<string, unknown> & { type: string }

const number = (value: unknown) => (typeof value === 'number' ? value : 0)

/**
 * Boil a getStats report down to round trip (ms), loss in either direction (percent, the worse one) and new
 * picture freezes since the sample before. Fields not measured yet are null.
 */
export function sampleLine(stats: Iterable<Stat>, before: LineMemory | null): LineSample {
  const memory: LineMemory = { received: 0, lost: 0, freezes: 0 }
  let rtt_ms: number | null = null
  let upLoss: number | null = null
  for (const stat of stats) {
    if (
      stat.type === 'candidate-pair' &&
      stat.nominated === true &&
      stat.currentRoundTripTime !== undefined
    ) {
      rtt_ms = number(stat.currentRoundTripTime) * 1000
    } else if (stat.type === 'inbound-rtp') {
      memory.received += number(stat.packetsReceived)
      memory.lost += number(stat.packetsLost)
      memory.freezes += number(stat.freezeCount)
    } else if (stat.type === 'remote-inbound-rtp' && stat.fractionLost !== undefined) {
      upLoss = Math.max(upLoss ?? 0, number(stat.fractionLost) * 100)
    }
  }
  const downLoss = before === null ? null : lossSince(before, memory)
  const known = [upLoss, downLoss].filter((loss) => loss !== null)
  return {
    rtt_ms,
    loss_percent: known.length > 0 ? Math.max(...known) : null,
    freezes: before === null ? null : Math.max(0, memory.freezes - before.freezes),
    memory,
  }
}

function lossSince(before: LineMemory, now: LineMemory): number | null {
  const lost = Math.max(0, now.lost - before.lost)
  const expected = lost + Math.max(0, now.received - before.received)
  return expected > 0 ? (100 * lost) / expected : null
}

/** ITU-T G.114 calls up to 150 ms one way (300 ms there and back) good for talk; 5 % loss is heard in speech. */
export function judgeLine(report: LineReport | null): LineQuality {
  if (!report) return 'none'
  const rtt = report.rtt_ms ?? 0
  const loss = report.loss_percent ?? 0
  const freezes = report.freezes ?? 0
  if (rtt > 600 || loss > 10 || freezes > 2) return 'poor'
  if (rtt > 300 || loss > 3 || freezes > 0) return 'fair'
  return 'good'
}

import type { LineQuality } from '../media/line'
import { testWays, type Ways } from '../media/ways'
import { api } from './api'

export interface LineTestFigures {
  rtt_ms: number
  down_Mbps: number
  up_Mbps: number
}

const ROUND_TRIPS = 4
const DOWN_OCTETS = 1_000_000
const UP_OCTETS = 200_000
/** A slow line is judged by what came through in this time. */
const LIMIT_MS = 15_000

/** Measure the line to the server over HTTP: best of some round trips, then a download, then an upload. */
export async function testLine(): Promise<LineTestFigures> {
  const trips: number[] = []
  for (let trip = 0; trip < ROUND_TRIPS; trip += 1) trips.push(await timed(() => api.downloadTest(1)))
  const rtt_ms = Math.min(...trips)
  const down_ms = await timed(() => api.downloadTest(DOWN_OCTETS))
  const up_ms = await timed(() => api.uploadTest(noise(UP_OCTETS)))
  return { rtt_ms, down_Mbps: rate(DOWN_OCTETS, down_ms - rtt_ms), up_Mbps: rate(UP_OCTETS, up_ms - rtt_ms) }
}

/** Which ways media can take from here to the server. */
export async function testMediaWays(): Promise<Ways> {
  const { ice_servers } = await api.mediaTest()
  return testWays({ iceServers: ice_servers, ask: api.tryMedia })
}

/** One 720p picture with its lower layers takes about 2 Mbit/s up; a stage of pictures about as much down. */
export function judgeFigures(figures: LineTestFigures): LineQuality {
  if (figures.up_Mbps < 0.4 || figures.down_Mbps < 0.5 || figures.rtt_ms > 600) return 'poor'
  if (figures.up_Mbps < 2 || figures.down_Mbps < 2 || figures.rtt_ms > 300) return 'fair'
  return 'good'
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  let timer: ReturnType<typeof setTimeout> | undefined
  const limit = new Promise((resolve) => (timer = setTimeout(resolve, LIMIT_MS)))
  await Promise.race([work(), limit])
  clearTimeout(timer)
  return performance.now() - start
}

function rate(octets: number, elapsed_ms: number): number {
  return (octets * 8) / 1000 / Math.max(1, elapsed_ms)
}

/** Not compressible, so that no proxy flatters the line. */
function noise(octets: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(octets)
  for (let at = 0; at < octets; at += 65_536) crypto.getRandomValues(bytes.subarray(at, at + 65_536))
  return bytes
}

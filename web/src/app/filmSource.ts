import type Hls from 'hls.js'

/** Where the player takes its picture from: the film, or the segments as HLS until there is one. */
export interface FilmSource {
  readonly kind: 'film' | 'hls'
  readonly url: string
}

/** Why nothing can be played: the line or the server, or a browser without the codecs. */
export type SourceTrouble = 'failed' | 'unplayable'

const NATIVE_HLS = 'application/vnd.apple.mpegurl'
const H264_AAC = 'video/mp4; codecs="avc1.42E01E, mp4a.40.2"'
/** A piece that was never asked for before is rendered while we wait. */
const PIECE_WAIT_MS = 90_000

/** Attach a source from a moment on. Returns what takes it off again. */
export async function attachSource(
  video: HTMLVideoElement,
  source: FilmSource,
  at_s: number,
  onTrouble: (trouble: SourceTrouble) => void,
): Promise<() => void> {
  if (!video.canPlayType(H264_AAC)) onTrouble('unplayable')
  if (source.kind === 'film') return attachPlain(video, source.url, at_s, onTrouble)
  const { default: Hls } = await import('hls.js/light')
  if (Hls.isSupported()) return attachHls(new Hls(settings(at_s)), video, source.url, onTrouble)
  if (video.canPlayType(NATIVE_HLS)) return attachPlain(video, source.url, at_s, onTrouble)
  onTrouble('unplayable')
  return () => undefined
}

function attachPlain(
  video: HTMLVideoElement,
  url: string,
  at_s: number,
  onTrouble: (trouble: SourceTrouble) => void,
): () => void {
  const seek = () => (video.currentTime = at_s)
  const fail = () => onTrouble('failed')
  if (at_s > 0) video.addEventListener('loadedmetadata', seek, { once: true })
  video.addEventListener('error', fail)
  video.src = url
  return () => {
    video.removeEventListener('loadedmetadata', seek)
    video.removeEventListener('error', fail)
    video.removeAttribute('src')
    video.load()
  }
}

function settings(at_s: number): Partial<Hls['config']> {
  const patient = { maxTimeToFirstByteMs: PIECE_WAIT_MS, maxLoadTimeMs: PIECE_WAIT_MS }
  const retry = { maxNumRetry: 4, retryDelayMs: 1_000, maxRetryDelayMs: 8_000 }
  return {
    // The content security policy allows no workers from blobs, and fMP4 is only passed through.
    enableWorker: false,
    startPosition: at_s,
    maxBufferLength: 30,
    maxMaxBufferLength: 60,
    backBufferLength: 60,
    fragLoadPolicy: { default: { ...patient, timeoutRetry: retry, errorRetry: retry } },
  }
}

function attachHls(
  hls: Hls,
  video: HTMLVideoElement,
  url: string,
  onTrouble: (trouble: SourceTrouble) => void,
): () => void {
  let recovered = false
  hls.on('hlsError' as Parameters<Hls['on']>[0], (_: unknown, data: { fatal: boolean; type: string }) => {
    if (!data.fatal) return
    if (data.type === 'mediaError' && !recovered) {
      recovered = true
      hls.recoverMediaError()
    } else onTrouble('failed')
  })
  hls.loadSource(url)
  hls.attachMedia(video)
  return () => hls.destroy()
}

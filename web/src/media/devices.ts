export const QUALITIES = ['auto', 'save', 'high'] as const
export type PictureQuality = (typeof QUALITIES)[number]

/** What was chosen on the device check, kept for next time. No secret is among it. */
export interface DeviceChoice {
  cameraId: string | null
  micId: string | null
  speakerId: string | null
  /** How much picture is sent: auto judges the machine. */
  quality: PictureQuality
  cameraOn: boolean
  micOn: boolean
  /** The check was gone through once: the next join needs one click. */
  checked: boolean
}

/**
 * Why a device cannot be used. denied: the person or the browser's settings said no; none: there is no such device;
 * busy: another program holds it; insecure: the page is not on https; failed: anything else.
 */
export type DeviceProblem = 'denied' | 'none' | 'busy' | 'insecure' | 'failed'

export type Opened = { track: MediaStreamTrack; problem: null } | { track: null; problem: DeviceProblem }

export const DEFAULT_CHOICE: DeviceChoice = {
  cameraId: null,
  micId: null,
  speakerId: null,
  quality: 'auto',
  cameraOn: true,
  micOn: true,
  checked: false,
}

const KEY = 'diemcau.devices'

export function loadChoice(storage: Pick<Storage, 'getItem'>): DeviceChoice {
  try {
    const stored: unknown = JSON.parse(storage.getItem(KEY) ?? '{}')
    return { ...DEFAULT_CHOICE, ...(typeof stored === 'object' ? stored : {}) }
  } catch {
    // Private windows may forbid storage, and old versions may have left something else there.
    return { ...DEFAULT_CHOICE }
  }
}

export function saveChoice(storage: Pick<Storage, 'setItem'>, choice: DeviceChoice): void {
  try {
    storage.setItem(KEY, JSON.stringify(choice))
  } catch {
    // Without storage the choice holds for this visit only.
  }
}

/** A machine that would stutter with a 720p simulcast encode and many pictures. */
export function isWeakMachine(cores: number | undefined, memory_GiB: number | undefined): boolean {
  return (cores ?? 4) <= 2 || (memory_GiB ?? 8) <= 2
}

export function openCamera(deviceId: string | null, saving: boolean): Promise<Opened> {
  const size = saving
    ? { width: { ideal: 640 }, height: { ideal: 360 } }
    : { width: { ideal: 1280 }, height: { ideal: 720 } }
  return open('video', deviceId, { ...size, frameRate: { ideal: 25, max: 30 } })
}

export function openMic(deviceId: string | null): Promise<Opened> {
  return open('audio', deviceId, { echoCancellation: true, noiseSuppression: true, autoGainControl: true })
}

/** Show a screen. Resolves with `denied` when the person closes the browser's picker. */
export async function openScreen(): Promise<Opened> {
  try {
    const stream = await navigator.mediaDevices.getDisplayMedia({
      video: { frameRate: { ideal: 10, max: 15 } },
    })
    const track = stream.getVideoTracks()[0]
    if (!track) return { track: null, problem: 'none' }
    track.contentHint = 'detail'
    return { track, problem: null }
  } catch (error) {
    return { track: null, problem: problemOf(error) }
  }
}

export function canShareScreen(): boolean {
  return typeof navigator.mediaDevices?.getDisplayMedia === 'function'
}

export async function listDevices(): Promise<MediaDeviceInfo[]> {
  if (!navigator.mediaDevices) return []
  const devices = await navigator.mediaDevices.enumerateDevices()
  return devices.filter((device) => device.deviceId !== '')
}

async function open(
  kind: 'audio' | 'video',
  deviceId: string | null,
  wish: MediaTrackConstraints,
): Promise<Opened> {
  if (!navigator.mediaDevices) return { track: null, problem: 'insecure' }
  try {
    // `ideal`, not `exact`: a camera that was unplugged since the last meeting must not keep anybody out.
    const constraints = deviceId ? { ...wish, deviceId: { ideal: deviceId } } : wish
    const stream = await navigator.mediaDevices.getUserMedia({ [kind]: constraints })
    const track = stream.getTracks()[0]
    return track ? { track, problem: null } : { track: null, problem: 'none' }
  } catch (error) {
    return { track: null, problem: problemOf(error) }
  }
}

export function problemOf(error: unknown): DeviceProblem {
  const name = error instanceof Error ? error.name : ''
  if (name === 'NotAllowedError' || name === 'SecurityError') return 'denied'
  if (name === 'NotFoundError' || name === 'OverconstrainedError') return 'none'
  if (name === 'NotReadableError' || name === 'AbortError') return 'busy'
  return 'failed'
}

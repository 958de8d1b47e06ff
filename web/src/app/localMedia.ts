import { computed, reactive, readonly, ref, shallowRef, watch } from 'vue'

import {
  isWeakMachine,
  listDevices,
  loadChoice,
  openCamera,
  openMic,
  saveChoice,
  type DeviceProblem,
  type Opened,
} from '../media/devices'

const choice = reactive(loadChoice(localStorage))
const camera = shallowRef<MediaStreamTrack | null>(null)
const mic = shallowRef<MediaStreamTrack | null>(null)
const cameraProblem = ref<DeviceProblem | null>(null)
const micProblem = ref<DeviceProblem | null>(null)
const devices = shallowRef<MediaDeviceInfo[]>([])
let cameraTurn = 0
let micTurn = 0

const machineMemory = (navigator as Navigator & { deviceMemory?: number }).deviceMemory
export const weakMachine = isWeakMachine(navigator.hardwareConcurrency, machineMemory)

watch(choice, () => saveChoice(localStorage, choice))
navigator.mediaDevices?.addEventListener?.('devicechange', () => void refresh())

/** Send one small picture instead of three layers of a large one. */
export function isSaving(): boolean {
  return choice.quality === 'auto' ? weakMachine : choice.quality === 'save'
}

/** This machine's camera and microphone, shared by the device check and the meeting. */
export const localMedia = {
  choice,
  camera: camera as Readonly<typeof camera>,
  mic: mic as Readonly<typeof mic>,
  cameraProblem: readonly(cameraProblem),
  micProblem: readonly(micProblem),
  cameras: computed(() => devices.value.filter((device) => device.kind === 'videoinput')),
  mics: computed(() => devices.value.filter((device) => device.kind === 'audioinput')),
  speakers: computed(() => devices.value.filter((device) => device.kind === 'audiooutput')),

  /** Open the chosen camera (again). What goes wrong is in `cameraProblem`. */
  async startCamera(): Promise<void> {
    const turn = ++cameraTurn
    camera.value?.stop()
    camera.value = null
    const opened = await openCamera(choice.cameraId, isSaving())
    if (turn !== cameraTurn) return opened.track?.stop()
    keep(camera, cameraProblem, opened)
    await refresh()
  },

  /** Release the camera, so that its light goes out. */
  stopCamera(): void {
    cameraTurn += 1
    camera.value?.stop()
    camera.value = null
  },

  async startMic(): Promise<void> {
    const turn = ++micTurn
    mic.value?.stop()
    mic.value = null
    const opened = await openMic(choice.micId)
    if (turn !== micTurn) return opened.track?.stop()
    keep(mic, micProblem, opened)
    await refresh()
  },

  stopMic(): void {
    micTurn += 1
    mic.value?.stop()
    mic.value = null
  },

  stop(): void {
    localMedia.stopCamera()
    localMedia.stopMic()
  },

  refresh,
}

async function refresh(): Promise<void> {
  devices.value = await listDevices()
}

function keep(target: typeof camera, problem: typeof cameraProblem, opened: Opened): void {
  problem.value = opened.problem
  target.value = opened.track
  opened.track?.addEventListener('ended', () => {
    // Unplugged, or taken away by the system: say so instead of sending a frozen picture.
    if (target.value !== opened.track) return
    target.value = null
    problem.value = 'none'
  })
}

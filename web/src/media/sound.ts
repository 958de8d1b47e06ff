/** Listens to a microphone and reports its level, 0 to 1, about 20 times a second. */
export class LevelMeter {
  private readonly context: AudioContext
  private readonly timer: ReturnType<typeof setInterval>

  constructor(track: MediaStreamTrack, onLevel: (level: number) => void) {
    this.context = new AudioContext()
    const analyser = this.context.createAnalyser()
    analyser.fftSize = 1024
    this.context.createMediaStreamSource(new MediaStream([track])).connect(analyser)
    const samples = new Float32Array(analyser.fftSize)
    this.timer = setInterval(() => {
      // Before the page was touched a browser may hold the context back: then nothing is known, not even silence.
      if (this.context.state !== 'running') return void this.context.resume()
      analyser.getFloatTimeDomainData(samples)
      onLevel(loudness(samples))
    }, 50)
  }

  close(): void {
    clearInterval(this.timer)
    void this.context.close()
  }
}

/** Root mean square as a bar from 0 (-60 dBFS and below) to 1 (-6 dBFS and above): the range of speech. */
export function loudness(samples: Float32Array): number {
  let sum = 0
  for (const sample of samples) sum += sample * sample
  const rms = Math.sqrt(sum / Math.max(1, samples.length))
  const decibels = 20 * Math.log10(Math.max(rms, 1e-6))
  return Math.min(1, Math.max(0, (decibels + 60) / 54))
}

/** Play three short notes through the chosen speaker. Resolves when they are over. */
export async function playTestTone(speakerId: string | null): Promise<void> {
  const context = new AudioContext()
  const gain = context.createGain()
  const out = context.createMediaStreamDestination()
  gain.connect(out)
  gain.gain.value = 0
  const player = new Audio()
  player.srcObject = out.stream
  if (speakerId && canChooseSpeaker()) await player.setSinkId(speakerId).catch(() => undefined)
  await player.play()
  const start = context.currentTime + 0.05
  for (const [index, hertz] of [523.25, 659.25, 783.99].entries()) {
    const note = context.createOscillator()
    note.frequency.value = hertz
    note.connect(gain)
    const at = start + index * 0.45
    gain.gain.setValueAtTime(0, at)
    gain.gain.linearRampToValueAtTime(0.35, at + 0.03)
    gain.gain.linearRampToValueAtTime(0, at + 0.4)
    note.start(at)
    note.stop(at + 0.42)
  }
  await new Promise((resolve) => setTimeout(resolve, 1600))
  player.srcObject = null
  await context.close()
}

export function canChooseSpeaker(): boolean {
  return typeof HTMLMediaElement !== 'undefined' && 'setSinkId' in HTMLMediaElement.prototype
}

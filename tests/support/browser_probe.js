// Put into every page before the product's own scripts: counts offers, keeps what is received and measures it.
// It only wraps the standard API, so it measures any page and knows nothing of the product.
(() => {
  const probe = { offers: 0, connections: 0, tracks: [], log: [] }
  const Native = window.RTCPeerConnection
  window.RTCPeerConnection = class extends Native {
    constructor(...args) {
      super(...args)
      this.addEventListener('track', (event) => probe.tracks.push(event.track))
    }
    createOffer(...args) {
      probe.offers += 1
      // A connection of the device check makes none: it goes straight to setLocalDescription.
      if (probe.peer !== this) probe.connections += 1
      probe.peer = this
      return super.createOffer(...args)
    }
  }

  const context = () => (probe.context ??= new AudioContext())

  // Level in dB of each frequency, loudest over all received tracks, every 20 ms, with the wall clock's ms.
  probe.listen = async (frequencies) => {
    await context().resume()
    const taps = new Map()
    const tap = (track) => {
      const analyser = context().createAnalyser()
      analyser.fftSize = 2048
      analyser.smoothingTimeConstant = 0
      context().createMediaStreamSource(new MediaStream([track])).connect(analyser)
      return { analyser, bins: new Float32Array(analyser.frequencyBinCount) }
    }
    setInterval(() => {
      const levels = frequencies.map(() => -200)
      for (const track of probe.tracks.filter((it) => it.kind === 'audio')) {
        if (!taps.has(track)) taps.set(track, tap(track))
        const { analyser, bins } = taps.get(track)
        analyser.getFloatFrequencyData(bins)
        frequencies.forEach((frequency, place) => {
          const bin = Math.round((frequency * analyser.fftSize) / context().sampleRate)
          levels[place] = Math.max(levels[place], bins[bin - 1], bins[bin], bins[bin + 1])
        })
      }
      probe.log.push([Date.now(), ...levels])
      if (probe.log.length > 20000) probe.log.splice(0, 10000)
    }, 20)
  }

  // The pixels of a video element, scaled to 64x36, as RGB rows; null where it shows nothing.
  probe.pixels = (selector) => {
    const video = document.querySelector(selector)
    if (!video || !video.videoWidth) return null
    const canvas = new OffscreenCanvas(64, 36)
    const pen = canvas.getContext('2d')
    pen.drawImage(video, 0, 0, 64, 36)
    return Array.from(pen.getImageData(0, 0, 64, 36).data)
  }

  // Level in dB of a frequency in what a media element plays now.
  const elements = new Map()
  probe.level = async (selector, frequency) => {
    const element = document.querySelector(selector)
    if (!elements.has(element)) {
      const analyser = context().createAnalyser()
      analyser.fftSize = 2048
      analyser.smoothingTimeConstant = 0
      context().createMediaElementSource(element).connect(analyser).connect(context().destination)
      elements.set(element, analyser)
    }
    await context().resume()
    const analyser = elements.get(element)
    const bins = new Float32Array(analyser.frequencyBinCount)
    analyser.getFloatFrequencyData(bins)
    const bin = Math.round((frequency * analyser.fftSize) / context().sampleRate)
    return Math.max(-200, bins[bin - 1], bins[bin], bins[bin + 1])
  }

  // What the picture shown largest has been through: time (ms), freezes and their seconds, size, octets of everything.
  probe.reception = async () => {
    const found = { at: Date.now(), freezes: 0, frozen_s: 0, height: 0, frames: 0, octets: 0, pair: null }
    const stats = await probe.peer.getStats()
    stats.forEach((stat) => {
      if (stat.type === 'inbound-rtp') found.octets += stat.bytesReceived
      if (stat.type === 'inbound-rtp' && stat.kind === 'video' && (stat.framesDecoded ?? 0) > found.frames) {
        found.freezes = stat.freezeCount ?? 0
        found.frozen_s = stat.totalFreezesDuration ?? 0
        found.height = stat.frameHeight ?? 0
        found.frames = stat.framesDecoded
      }
      if (stat.type === 'candidate-pair' && stat.nominated && stat.state === 'succeeded') {
        const local = stats.get(stat.localCandidateId)
        found.pair = { protocol: local?.protocol, type: local?.candidateType, address: local?.address }
      }
    })
    return found
  }
  window.__probe = probe
})()

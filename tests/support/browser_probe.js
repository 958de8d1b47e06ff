// Put into every page before the product's own scripts: counts offers, keeps what is received and measures it.
// It only wraps the standard API, so it measures any page and knows nothing of the product.
(() => {
  const probe = { offers: 0, connections: 0, tracks: [], log: [] }
  const Native = window.RTCPeerConnection
  window.RTCPeerConnection = class extends Native {
    constructor(...args) {
      super(...args)
      probe.connections += 1
      this.addEventListener('track', (event) => probe.tracks.push(event.track))
    }
    createOffer(...args) {
      probe.offers += 1
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
  window.__probe = probe
})()

import { describe, expect, it, vi } from 'vitest'

import { DEFAULT_CHOICE, isWeakMachine, loadChoice, openMic, problemOf, saveChoice } from './devices'

function storage(text: string | null) {
  let kept = text
  return { getItem: () => kept, setItem: (_: string, value: string) => void (kept = value) }
}

describe('what was chosen', () => {
  it('is remembered', () => {
    const shelf = storage(null)
    saveChoice(shelf, { ...DEFAULT_CHOICE, micId: 'm1', checked: true })
    expect(loadChoice(shelf)).toEqual({ ...DEFAULT_CHOICE, micId: 'm1', checked: true })
  })

  it.each([null, 'nonsense', '"text"', 'null', '{"micId":"x"}'])('survives %s in the store', (text) => {
    expect(loadChoice(storage(text))).toMatchObject({ cameraOn: true, checked: false })
  })

  it('does without a store that may not be used', () => {
    const forbidden = {
      getItem: (): string => {
        throw new Error('denied')
      },
      setItem: () => {
        throw new Error('denied')
      },
    }
    expect(loadChoice(forbidden)).toEqual(DEFAULT_CHOICE)
    expect(() => saveChoice(forbidden, DEFAULT_CHOICE)).not.toThrow()
  })
})

describe('what goes wrong', () => {
  it.each([
    ['NotAllowedError', 'denied'],
    ['NotFoundError', 'none'],
    ['OverconstrainedError', 'none'],
    ['NotReadableError', 'busy'],
    ['TypeError', 'failed'],
  ])('%s is %s', (name, problem) => {
    expect(problemOf(Object.assign(new Error(), { name }))).toBe(problem)
  })

  it('says so where the page is not on https', async () => {
    vi.stubGlobal('navigator', {})
    expect(await openMic(null)).toEqual({ track: null, problem: 'insecure' })
    vi.unstubAllGlobals()
  })

  it('asks for the remembered device without insisting on it', async () => {
    const track = {}
    const getUserMedia = vi.fn().mockResolvedValue({ getTracks: () => [track] })
    vi.stubGlobal('navigator', { mediaDevices: { getUserMedia } })
    expect(await openMic('m1')).toEqual({ track, problem: null })
    expect(getUserMedia.mock.calls[0]?.[0].audio.deviceId).toEqual({ ideal: 'm1' })
    vi.unstubAllGlobals()
  })
})

it.each([
  [2, 8, true],
  [8, 2, true],
  [4, 4, false],
  [undefined, undefined, false],
])('%s cores and %s GiB: weak %s', (cores, memory, weak) => expect(isWeakMachine(cores, memory)).toBe(weak))

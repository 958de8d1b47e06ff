import { describe, expect, it } from 'vitest'

import { actionOf, sliderStep, steppedSpeed } from './keys'

const key = (name: string, over = {}) => ({
  key: name,
  ctrlKey: false,
  altKey: false,
  metaKey: false,
  repeat: false,
  ...over,
})

describe('the player’s keys', () => {
  it.each([
    [' ', { kind: 'toggle' }],
    ['K', { kind: 'toggle' }],
    ['ArrowLeft', { kind: 'skip', by_s: -5 }],
    ['l', { kind: 'skip', by_s: 10 }],
    ['.', { kind: 'speed', step: 1 }],
    ['p', { kind: 'chapter', step: -1 }],
    ['?', { kind: 'help' }],
    ['x', null],
    ['Escape', null],
  ])('%s', (name, action) => expect(actionOf(key(name), true)).toEqual(action))

  it('belong to the browser with Ctrl, Alt or Meta', () => {
    for (const held of ['ctrlKey', 'altKey', 'metaKey'])
      expect(actionOf(key('f', { [held]: true }), true)).toBeNull()
  })

  it('act once while held down, but for those that skip', () => {
    expect(actionOf(key('f', { repeat: true }), true)).toBeNull()
    expect(actionOf(key('j', { repeat: true }), true)).toEqual({ kind: 'skip', by_s: -10 })
  })

  it('may be no characters (WCAG 2.1.4)', () => {
    for (const name of ['k', 'f', '?', ',']) expect(actionOf(key(name), false)).toBeNull()
    expect(actionOf(key('ArrowRight'), false)).toEqual({ kind: 'skip', by_s: 5 })
    expect(actionOf(key(' '), false)).toEqual({ kind: 'toggle' })
  })

  it.each([
    ['ArrowUp', 5],
    ['PageDown', -60],
    ['Home', -Infinity],
    ['Enter', null],
  ])('%s moves a slider by %s s', (name, step) => expect(sliderStep(name)).toBe(step))
})

it.each([
  [1, 1, 1.25],
  [1, -1, 0.75],
  [2, 1, 2],
  [0.5, -1, 0.5],
  [1.1, 1, 1.25],
] as const)('from speed %d by %d to %d', (speed, step, next) => expect(steppedSpeed(speed, step)).toBe(next))

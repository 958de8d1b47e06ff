/** What a key asks of the player. */
export type PlayerAction =
  | { kind: 'toggle' }
  | { kind: 'skip'; by_s: number }
  | { kind: 'speed'; step: 1 | -1 }
  | { kind: 'chapter'; step: 1 | -1 }
  | { kind: 'mute' }
  | { kind: 'captions' }
  | { kind: 'fullScreen' }
  | { kind: 'help' }

export interface Key {
  readonly key: string
  readonly ctrlKey: boolean
  readonly altKey: boolean
  readonly metaKey: boolean
  readonly repeat: boolean
}

const ACTIONS: Readonly<Record<string, PlayerAction>> = {
  ' ': { kind: 'toggle' },
  k: { kind: 'toggle' },
  arrowleft: { kind: 'skip', by_s: -5 },
  arrowright: { kind: 'skip', by_s: 5 },
  j: { kind: 'skip', by_s: -10 },
  l: { kind: 'skip', by_s: 10 },
  ',': { kind: 'speed', step: -1 },
  '.': { kind: 'speed', step: 1 },
  n: { kind: 'chapter', step: 1 },
  p: { kind: 'chapter', step: -1 },
  m: { kind: 'mute' },
  c: { kind: 'captions' },
  f: { kind: 'fullScreen' },
  '?': { kind: 'help' },
}

/** Keys that go on while held down; the others act once. */
const HELD = new Set<PlayerAction['kind']>(['skip'])

/**
 * What a key means, or null. `letters` false: only keys that are no characters act (WCAG 2.1.4 lets people switch the
 * others off, for those who dictate).
 */
export function actionOf(event: Key, letters: boolean): PlayerAction | null {
  if (event.ctrlKey || event.altKey || event.metaKey) return null
  if (!letters && event.key.length === 1 && event.key !== ' ') return null
  const action = ACTIONS[event.key.toLowerCase()] ?? null
  return action && event.repeat && !HELD.has(action.kind) ? null : action
}

/** How far a key moves a slider of film time, in seconds; Infinity: to the end; null: no key of a slider. */
export function sliderStep(key: string): number | null {
  const steps: Readonly<Record<string, number>> = {
    ArrowUp: 5,
    ArrowDown: -5,
    PageUp: 60,
    PageDown: -60,
    Home: -Infinity,
    End: Infinity,
  }
  return steps[key] ?? null
}

export const SPEEDS = [0.5, 0.75, 1, 1.25, 1.5, 1.75, 2] as const

/** The next speed up or down from any speed. */
export function steppedSpeed(speed: number, step: 1 | -1): number {
  const others = SPEEDS.filter((it) => (step > 0 ? it > speed + 0.01 : it < speed - 0.01))
  return (step > 0 ? others[0] : others.at(-1)) ?? speed
}

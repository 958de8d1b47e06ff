import { onBeforeUnmount, onMounted, ref, watch } from 'vue'

import { actionOf, type PlayerAction } from '../film/keys'

const STORED = 'diemcau.player.letters'
const TYPING = 'input, textarea, select, [contenteditable="true"]'
/** On these a key already means something. */
const PRESSABLE = 'button, a, summary, [role="switch"], [role="tab"], [role="radio"]'
const MOVES = new Set(['arrowleft', 'arrowright'])
const OWN_MOVES = '[role="tab"], [role="radio"]'

/** The player's keys for the whole page; never while typing or in a dialog. */
export function usePlayerKeys(act: (action: PlayerAction) => void) {
  const letters = ref(stored())
  watch(letters, (on) => {
    try {
      localStorage.setItem(STORED, on ? 'on' : 'off')
    } catch {
      // The choice then holds for this visit only.
    }
  })

  function onKey(event: KeyboardEvent) {
    if (event.defaultPrevented || isBusy(event)) return
    const action = actionOf(event, letters.value)
    if (!action) return
    event.preventDefault()
    act(action)
  }

  onMounted(() => window.addEventListener('keydown', onKey))
  onBeforeUnmount(() => window.removeEventListener('keydown', onKey))
  return letters
}

function isBusy(event: KeyboardEvent): boolean {
  if (document.querySelector('[role="dialog"], [role="alertdialog"], [role="menu"]')) return true
  const target = event.target
  if (!(target instanceof Element)) return false
  if (target.closest(TYPING)) return true
  if (event.key === ' ' && target.closest(PRESSABLE)) return true
  return MOVES.has(event.key.toLowerCase()) && target.closest(OWN_MOVES) !== null
}

function stored(): boolean {
  try {
    return localStorage.getItem(STORED) !== 'off'
  } catch {
    return true
  }
}

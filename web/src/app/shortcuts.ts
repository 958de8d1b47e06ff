import { onScopeDispose } from 'vue'

export interface ShortcutActions {
  mute(): void
  talk(down: boolean): void
  request(): void
  help(): void
}

const TYPING = 'input, textarea, select, [contenteditable="true"]'
/** On these the space bar already means something. */
const PRESSABLE =
  'button, a, summary, [role="button"], [role="switch"], [role="tab"], [role="radio"], [role^="menuitem"]'

/** M, Space, R and ? for the whole meeting page; never while typing, in a dialog, or with Ctrl, Alt or Meta. */
export function useShortcuts(actions: ShortcutActions): void {
  let talking = false

  function down(event: KeyboardEvent) {
    if (event.ctrlKey || event.altKey || event.metaKey || isBusy(event.target)) return
    if (event.key === ' ') {
      if (event.target instanceof Element && event.target.closest(PRESSABLE)) return
      event.preventDefault()
      if (!event.repeat) actions.talk((talking = true))
    } else if (event.repeat) return
    else if (event.key === '?') actions.help()
    else if (event.key.toLowerCase() === 'm') actions.mute()
    else if (event.key.toLowerCase() === 'r') actions.request()
  }

  function up(event: KeyboardEvent) {
    if (event.key === ' ' && talking) actions.talk((talking = false))
  }

  /** The key's release is not seen when the window loses the focus: never leave a microphone open. */
  function letGo() {
    if (talking) actions.talk((talking = false))
  }

  window.addEventListener('keydown', down)
  window.addEventListener('keyup', up)
  window.addEventListener('blur', letGo)
  onScopeDispose(() => {
    window.removeEventListener('keydown', down)
    window.removeEventListener('keyup', up)
    window.removeEventListener('blur', letGo)
  })
}

function isBusy(target: EventTarget | null): boolean {
  if (document.querySelector('[role="dialog"], [role="alertdialog"], [role="menu"]')) return true
  return target instanceof Element && target.closest(TYPING) !== null
}

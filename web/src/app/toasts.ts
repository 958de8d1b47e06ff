import { readonly, shallowRef } from 'vue'

import { ApiError } from './api'
import { CommandRefused } from '../protocol/connection'
import { refusalText } from './i18n'

export interface ToastNote {
  id: number
  tone: 'error' | 'info'
  text: string
}

const notes = shallowRef<readonly ToastNote[]>([])
let nextId = 1

/** Short notes in a corner of the page; announced to screen readers. */
export const toasts = {
  notes: readonly(notes),

  show(text: string, tone: ToastNote['tone'] = 'info'): void {
    const others = notes.value.filter((note) => note.text !== text)
    notes.value = [...others, { id: nextId++, tone, text }].slice(-3)
  },

  /** Say why something was refused, in the reader's language. */
  refusal(error: unknown): void {
    if (error instanceof CommandRefused || error instanceof ApiError)
      toasts.show(refusalText(error.code), 'error')
    else throw error
  },

  dismiss(id: number): void {
    notes.value = notes.value.filter((note) => note.id !== id)
  },
}

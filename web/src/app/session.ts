import { readonly, shallowRef } from 'vue'

import type { Me } from '../protocol/types.gen'
import { api, ApiError } from './api'

const me = shallowRef<Me | null>(null)
let asked = false

/** Who is signed in on this browser (a cookie that no script can read). */
export const session = {
  me: readonly(me),

  /** Ask the server once; later calls answer from memory. Throws ApiError when it cannot be reached. */
  async load(): Promise<Me | null> {
    if (asked) return me.value
    try {
      me.value = await api.me()
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 401) throw error
      me.value = null
    }
    asked = true
    return me.value
  },

  async signIn(username: string, password: string): Promise<void> {
    me.value = await api.signIn({ username, password })
    asked = true
  },

  async signOut(): Promise<void> {
    await api.signOut().catch(() => undefined)
    me.value = null
    asked = true
  },

  /** The server no longer knows us. */
  forget(): void {
    me.value = null
    asked = true
  },
}

const ARCHIVE_ROLES = ['archivist', 'administrator', 'operator', 'chair']

/** Whom the way to the archive is shown; what is in it for them, the server decides. */
export function mayVisitArchive(who: Me | null): boolean {
  return who?.roles.some((role) => ARCHIVE_ROLES.includes(role)) ?? false
}

import { onScopeDispose, readonly, ref } from 'vue'

const now_ms = ref(Date.now())
let users = 0
let timer: ReturnType<typeof setInterval> | null = null

/** Our own clock in milliseconds, ticking four times a second while anybody looks at it. */
export function useNow() {
  users += 1
  now_ms.value = Date.now()
  timer ??= setInterval(() => (now_ms.value = Date.now()), 250)
  onScopeDispose(() => {
    users -= 1
    if (users > 0 || timer === null) return
    clearInterval(timer)
    timer = null
  })
  return readonly(now_ms)
}

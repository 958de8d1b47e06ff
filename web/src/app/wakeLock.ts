import { onScopeDispose } from 'vue'

/** Keep the screen awake while a meeting is looked at; browsers without the API simply may dim. */
export function useWakeLock(): void {
  let lock: WakeLockSentinel | null = null
  let disposed = false

  async function hold() {
    if (document.visibilityState !== 'visible' || !('wakeLock' in navigator)) return
    const held = await navigator.wakeLock.request('screen').catch(() => null)
    if (disposed) await held?.release()
    else lock = held
  }

  // The browser takes the lock away with the page's visibility.
  const again = () => void hold()
  document.addEventListener('visibilitychange', again)
  void hold()
  onScopeDispose(() => {
    disposed = true
    document.removeEventListener('visibilitychange', again)
    void lock?.release()
  })
}

import { ref } from 'vue'

/** Minutes offered for a turn; null: until withdrawn. */
export const DURATIONS_MIN = [null, 3, 5, 10] as const
export type Minutes = (typeof DURATIONS_MIN)[number]

/** What one click on "Mời phát biểu" gives, kept while the page is open. */
export const turnMinutes = ref<Minutes>(null)

export function inSeconds(minutes: Minutes): number | null {
  return minutes === null ? null : minutes * 60
}

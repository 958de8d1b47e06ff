import { computed, ref, watch, type Ref } from 'vue'

import type { Meeting } from './meeting'

/** Chat lines that came since the tab named `chat` was last looked at. */
export function useUnread({ road }: Meeting, tab: Ref<string>) {
  const lines = computed(() => road.room.value?.chat.length ?? 0)
  const read = ref(lines.value)
  watch([tab, lines], () => {
    if (tab.value === 'chat') read.value = lines.value
  })
  return computed(() => (tab.value === 'chat' ? 0 : Math.max(0, lines.value - read.value)))
}

// What a person with large letters or a small screen would complain of, as one line of text each.
// Loaded into the page beside axe-core; knows standard HTML only.
window.__geometry = () => {
  const CONTROLS = 'button, a[href], input, select, textarea, [role=tab], [role=radio], [role=switch], [role=menuitem]'
  const TOLERANCE = 3
  const faults = []

  const root = document.documentElement
  if (root.scrollWidth > root.clientWidth + 1)
    faults.push(`scrolls sideways: ${root.scrollWidth} px in a window of ${root.clientWidth} px`)

  const shown = (element) => element.checkVisibility({ opacityProperty: true, visibilityProperty: true })
  const isVisuallyHidden = (element) => element.closest('.visually-hidden, .skip-link') !== null

  // The part of a box that its scrolling or clipping ancestors leave to be seen.
  const clipped = (box, element) => {
    let { left, top, right, bottom } = box
    for (let it = element; it && it !== root; it = it.parentElement) {
      const style = getComputedStyle(it)
      if (style.overflowX !== 'visible' || style.overflowY !== 'visible') {
        const edge = it.getBoundingClientRect()
        left = Math.max(left, edge.left)
        top = Math.max(top, edge.top)
        right = Math.min(right, edge.right)
        bottom = Math.min(bottom, edge.bottom)
      }
      if (style.position === 'fixed') break
    }
    return right - left > 1 && bottom - top > 1 ? { left, top, right, bottom } : null
  }

  // A bar that stays while the page scrolls under it is a layer: boxes of different layers may lie over each other.
  const layerOf = (element) => {
    for (let it = element; it; it = it.parentElement)
      if (['fixed', 'sticky'].includes(getComputedStyle(it).position)) return it
    return root
  }
  const name = (element) =>
    (element.getAttribute('aria-label') || element.textContent || element.id || element.className)
      .toString().replace(/\s+/g, ' ').trim().slice(0, 40)

  const boxes = []
  for (const control of document.querySelectorAll(CONTROLS)) {
    if (!shown(control) || isVisuallyHidden(control)) continue
    const box = clipped(control.getBoundingClientRect(), control)
    if (box) boxes.push({ ...box, owner: control, layer: layerOf(control), text: false })
    const inner = control.matches('input, select, textarea') ? 0 : control.scrollWidth - control.clientWidth
    if (inner > 1 && control.clientWidth) faults.push(`cut off by ${inner} px: "${name(control)}"`)
  }
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  while (walker.nextNode()) {
    const node = walker.currentNode
    const owner = node.parentElement
    if (!node.data.trim() || owner.closest('script, style, option, textarea') || !shown(owner)) continue
    if (isVisuallyHidden(owner)) continue
    const range = document.createRange()
    range.selectNodeContents(node)
    for (const line of range.getClientRects()) {
      const box = clipped(line, owner)
      if (box) boxes.push({ ...box, owner, layer: layerOf(owner), text: true })
    }
  }

  // A button inside a field's own padding is one control with it.
  const isOneField = (a, b) =>
    [a, b].some((it) => it.matches('input, textarea')) && a.parentElement === b.parentElement
  boxes.forEach((a, place) => {
    for (const b of boxes.slice(place + 1)) {
      if (a.owner === b.owner || a.layer !== b.layer) continue
      if (a.owner.contains(b.owner) || b.owner.contains(a.owner)) continue
      if (!a.text && !b.text && isOneField(a.owner, b.owner)) continue
      const width = Math.min(a.right, b.right) - Math.max(a.left, b.left)
      const height = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top)
      if (width > TOLERANCE && height > TOLERANCE)
        faults.push(`"${name(a.owner)}" and "${name(b.owner)}" overlap by ${Math.round(width)}x${Math.round(height)} px`)
    }
  })
  return [...new Set(faults)]
}

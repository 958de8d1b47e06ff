import { describe, expect, it } from 'vitest'

import { boxOf, largestZoom, scrollTo, shown, timeAt, totalPx, xOf, zoomAround, type View } from './view'

const whole: View = { length_s: 1000, width_px: 500, zoom: 1, scroll_px: 0 }
const zoomed: View = { ...whole, zoom: 4, scroll_px: 600 }

describe('the drawn timeline', () => {
  it('shows the whole film at first', () => {
    expect(shown(whole)).toEqual({ from_s: 0, to_s: 1000 })
    expect([xOf(whole, 0), xOf(whole, 500), xOf(whole, 1000)]).toEqual([0, 250, 500])
  })

  it('shows a part when zoomed', () => {
    expect(totalPx(zoomed)).toBe(2000)
    expect(shown(zoomed)).toEqual({ from_s: 300, to_s: 550 })
  })

  it.each([0, 123, 499])('gives back the moment at %d px', (x) => {
    expect(xOf(zoomed, timeAt(zoomed, x))).toBeCloseTo(x)
  })

  it('never points outside the film', () => {
    expect(timeAt(whole, -40)).toBe(0)
    expect(timeAt(whole, 900)).toBe(1000)
  })

  it('cuts spans to what is shown', () => {
    expect(boxOf(zoomed, 0, 290)).toBeNull()
    expect(boxOf(zoomed, 600, 700)).toBeNull()
    expect(boxOf(zoomed, 350, 400)).toEqual({ x: 100, width: 100 })
    const across = boxOf(zoomed, 0, 1000)!
    expect(across.x).toBeLessThanOrEqual(0)
    expect(across.x + across.width).toBeGreaterThanOrEqual(500)
  })

  it('draws the shortest word wide enough to be seen', () => {
    expect(boxOf(whole, 10, 10.1)!.width).toBeGreaterThanOrEqual(3)
  })

  it('keeps the moment under the pointer while zooming', () => {
    const next = zoomAround(zoomed, 8, 200)
    expect(timeAt(next, 200)).toBeCloseTo(timeAt(zoomed, 200))
  })

  it('keeps the zoom and the scroll within bounds', () => {
    expect(zoomAround(zoomed, 0.1, 200)).toMatchObject({ zoom: 1, scroll_px: 0 })
    expect(zoomAround(whole, 1e9, 0).zoom).toBe(largestZoom(1000, 500))
    expect(zoomAround(whole, 4, 500).scroll_px).toBe(1500)
  })

  it('does not zoom into a film shorter than the window', () => expect(largestZoom(5, 1000)).toBe(1))

  it('scrolls to a moment that is out of sight, and only then', () => {
    expect(scrollTo(zoomed, 400)).toBe(600)
    const next = { ...zoomed, scroll_px: scrollTo(zoomed, 800) }
    expect(xOf(next, 800)).toBeGreaterThan(0)
    expect(xOf(next, 800)).toBeLessThan(500)
    expect(scrollTo(zoomed, 1000)).toBe(1500)
  })
})

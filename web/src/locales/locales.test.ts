import { expect, it } from 'vitest'

import { en } from './en'
import { vi } from './vi'

type Tree = { [key: string]: string | string[] | Tree }

function flatten(tree: Tree, prefix = ''): [string, string][] {
  return Object.entries(tree).flatMap(([key, value]): [string, string][] => {
    const path = prefix + key
    if (typeof value === 'string') return [[path, value]]
    return Array.isArray(value) ? [[path, value.join('\n')]] : flatten(value, `${path}.`)
  })
}

const placeholders = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1]).sort()
const english = new Map(flatten(en))

it('both languages say the same things', () => {
  expect(
    flatten(vi)
      .map(([key]) => key)
      .sort(),
  ).toEqual([...english.keys()].sort())
})

it.each(flatten(vi))('%s has the same placeholders in both', (key, text) => {
  expect(placeholders(english.get(key) ?? '')).toEqual(placeholders(text))
})

it('uses no character that vue-i18n would take for itself', () => {
  for (const [, text] of [...flatten(vi), ...english]) expect(text).not.toMatch(/[@|]/)
})

import { describe, expect, it } from 'vitest'

import { findWords, piecesOf } from './marks'

const shown = (text: string, ranges: [number, number][]) =>
  piecesOf(text, ranges)
    .map((piece) => (piece.found ? `[${piece.text}]` : piece.text))
    .join('')

describe('marked texts', () => {
  it.each([
    ['giao thông', [[0, 4]], '[giao] thông'],
    ['giao thông', [], 'giao thông'],
    [
      'giao thông',
      [
        [5, 10],
        [0, 4],
      ],
      '[giao] [thông]',
    ],
    [
      'giao thông',
      [
        [0, 6],
        [4, 8],
      ],
      '[giao t][hô]ng',
    ],
    [
      'giao',
      [
        [2, 99],
        [50, 60],
      ],
      'gi[ao]',
    ],
    ['📄 tài liệu', [[2, 5]], '📄 [tài] liệu'],
  ] as [string, [number, number][], string][])('%s with %j', (text, ranges, told) => {
    expect(shown(text, ranges)).toBe(told)
  })

  it.each([
    ['Sửa đường liên xã', 'duong', 'Sửa [đường] liên xã'],
    ['Sửa đường liên xã', 'ĐƯỜNG xa', 'Sửa [đường] liên [xã]'],
    ['Sửa đường liên xã', 'cau', 'Sửa đường liên xã'],
    ['Sửa đường liên xã', 'duong cau', 'Sửa đường liên xã'],
    ['bản bản', 'ban', '[bản] [bản]'],
    ['Mu\u031bo\u031b\u0300ng', 'muong', '[Mu\u031bo\u031b\u0300ng]'],
    ['xa\u0303 a', 'xa', '[xa\u0303] a'],
    ['📄 Đề án', 'de an', '📄 [Đề] [án]'],
    ['a  b', 'b', 'a  [b]'],
    ['abc', '  ', 'abc'],
  ])('%s searched for %s', (text, query, told) => {
    expect(shown(text, findWords(text, query) as [number, number][])).toBe(told)
  })

  it('leaves script as it is: text', () => {
    expect(piecesOf('<script>x</script>', [[1, 7]])).toEqual([
      { text: '<', found: false },
      { text: 'script', found: true },
      { text: '>x</script>', found: false },
    ])
  })
})

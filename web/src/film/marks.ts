import { foldMarks } from '../protocol/units'

/** A piece of a text; `found` where it is what was searched for. */
export interface Piece {
  readonly text: string
  readonly found: boolean
}

type Range = readonly [number, number]

/**
 * A text cut at character ranges [from, to) counted in code points, as the server counts them. Ranges may come in any
 * order and overlap; what lies outside the text is left out.
 */
export function piecesOf(text: string, ranges: readonly Range[]): Piece[] {
  const letters = [...text]
  const pieces: Piece[] = []
  let at = 0
  const push = (to: number, found: boolean) => {
    if (to > at) pieces.push({ text: letters.slice(at, to).join(''), found })
    at = Math.max(at, to)
  }
  for (const [from, to] of [...ranges].sort((a, b) => a[0] - b[0])) {
    push(Math.min(from, letters.length), false)
    push(Math.min(to, letters.length), true)
  }
  push(letters.length, false)
  return pieces
}

/** Where the words of `query` are in a text, ignoring Vietnamese marks and case; empty unless each is there. */
export function findWords(text: string, query: string): Range[] {
  const words = foldMarks(query).split(' ').filter(Boolean)
  const { folded, places } = foldWithPlaces(text)
  const length = [...text].length
  const ranges: Range[] = []
  for (const word of words) {
    let from = folded.indexOf(word)
    if (from < 0) return []
    for (; from >= 0; from = folded.indexOf(word, from + word.length))
      ranges.push([places[from]!, places[from + word.length] ?? length])
  }
  return ranges
}

/** The text without marks, and for each of its characters the code point of the text it came from. */
function foldWithPlaces(text: string): { folded: string; places: number[] } {
  let folded = ''
  const places: number[] = []
  ;[...text].forEach((letter, place) => {
    const plain = /\s/.test(letter) ? ' ' : foldMarks(letter)
    folded += plain
    for (let n = 0; n < plain.length; n += 1) places.push(place)
  })
  return { folded, places }
}

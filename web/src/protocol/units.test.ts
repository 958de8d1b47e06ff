import { describe, expect, it } from 'vitest'

import { seat } from './fixtures'
import { foldMarks, groupByUnit, seatMatches } from './units'

describe('searching without marks', () => {
  it.each([
    ['Điện Biên', 'dien bien'],
    ['  Mường   Ảng ', 'muong ang'],
    ['ĐƯỜNG Ở huyện', 'duong o huyen'],
  ])('%s becomes %s', (text, folded) => expect(foldMarks(text)).toBe(folded))

  const muongPha = seat('1', { name: 'UBND xã Nậm Sỏ', unit_path: ['Tỉnh', 'Huyện Mường Pha', 'Xã Nậm Sỏ'] })
  it.each([
    ['nam so', true],
    ['Nậm', true],
    ['pha so', true],
    ['', true],
    ['muong ang', false],
  ])('"%s": %s', (query, found) => expect(seatMatches(muongPha, query)).toBe(found))
})

describe('grouping', () => {
  const province = ['Tỉnh']
  const district = [...province, 'Huyện Mường Pha']
  const seats = [
    seat('xa2', { name: 'UBND xã 10', unit_path: [...district, 'Xã 10'] }),
    seat('xa1', { name: 'UBND xã 2', unit_path: [...district, 'Xã 2'], presence: 'absent' }),
    seat('huyen', { name: 'UBND huyện', unit_path: district }),
    seat('so', { name: 'Sở Nội vụ', unit_path: [...province, 'Các sở, ngành', 'Sở Nội vụ'] }),
    seat('main', { name: 'Phòng họp', role: 'main', unit_path: [...province, 'Các sở, ngành', 'Văn phòng'] }),
  ]
  const groups = groupByUnit(seats)

  it('puts a district with its communes, itself first, numbers in order', () => {
    const group = groups.find((it) => it.name === 'Huyện Mường Pha')
    expect(group?.seats.map((it) => it.seat_id)).toEqual(['huyen', 'xa1', 'xa2'])
    expect(group).toMatchObject({ present: 2, parents: ['Tỉnh'] })
  })

  it('puts the group of the main endpoint first, with the main endpoint at its head', () => {
    expect(groups[0]?.name).toBe('Các sở, ngành')
    expect(groups[0]?.seats[0]?.seat_id).toBe('main')
  })

  it('loses nobody', () => {
    expect(groups.flatMap((group) => group.seats)).toHaveLength(seats.length)
  })

  it('takes a seat at the very top, and one of no unit', () => {
    const lonely = groupByUnit([seat('top', { unit_path: ['Tỉnh'] }), seat('none', { unit_path: [] })])
    expect(lonely.map((group) => group.name).sort()).toEqual(['', 'Tỉnh'])
  })
})

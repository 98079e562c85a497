import { isImei } from '../src/model/device-id.js'
import { findImeis, SIMULATED_IMEIS } from './imei-range.js'

describe('findImeis', () => {
  it('counts up from the base, each with its check digit', () => {
    expect(findImeis('35209900176148', 3)).toEqual(['352099001761481', '352099001761499', '352099001761507'])
  })

  it('begins with the very IMEI when it is given whole', () => {
    expect(findImeis('352099001761481', 2)).toEqual(['352099001761481', '352099001761499'])
  })

  it('fills a short base up with zeros', () => {
    expect(findImeis(SIMULATED_IMEIS, 2)).toEqual(['009900000000002', '009900000000010'])
  })

  it('gives valid IMEIs, all different', () => {
    const imeis = findImeis(SIMULATED_IMEIS, 1000) ?? []
    expect(imeis.filter((imei) => !isImei(imei, 'luhn'))).toEqual([])
    expect(new Set(imeis).size).toBe(1000)
  })

  it.each(['', 'abc', '352099001761480', '1234567890123456'])('knows no range for %j', (base) => {
    expect(findImeis(base, 1)).toBeUndefined()
  })

  it('knows no range that runs out of digits', () => {
    expect(findImeis('99999999999998', 1)).toHaveLength(1)
    expect(findImeis('99999999999998', 3)).toBeUndefined()
  })
})

import { deviceKindOf, hasLuhnDigit, isDeviceName, isImei } from './device-id.js'

describe('device ids', () => {
  it('takes 15 digits with a valid check digit as an IMEI', () => {
    expect(isImei('490154203237518', 'luhn')).toBe(true)
    expect(isImei('490154203237519', 'luhn')).toBe(false)
    expect(isImei('49015420323751', 'luhn')).toBe(false)
    expect(isImei('4901542032375180', 'luhn')).toBe(false)
    expect(isImei('４90154203237518', 'luhn')).toBe(false)
  })

  it('takes 14 to 15 digits and 14 hexadecimal digits when any id is allowed', () => {
    expect(isImei('490154203237519', 'any')).toBe(true)
    expect(isImei('49015420323751', 'any')).toBe(true)
    expect(isImei('A0000012345678', 'any')).toBe(true)
    expect(isImei('A000001234567', 'any')).toBe(false)
    expect(isImei('G0000012345678', 'any')).toBe(false)
  })

  it('names boxes by up to 64 of its characters, never shaped like an IMEI', () => {
    expect(isDeviceName('cold-box_7.north')).toBe(true)
    expect(isDeviceName('x'.repeat(64))).toBe(true)
    expect(isDeviceName('x'.repeat(65))).toBe(false)
    expect(isDeviceName('')).toBe(false)
    expect(isDeviceName('490154203237519')).toBe(false)
    expect(isDeviceName('A0000012345678')).toBe(false)
    expect(isDeviceName('a/b')).toBe(false)
    expect(isDeviceName('..')).toBe(false)
  })

  it('tells the kind of an id', () => {
    expect(deviceKindOf('490154203237518', 'luhn')).toBe('imei')
    expect(deviceKindOf('490154203237519', 'luhn')).toBeUndefined()
    expect(deviceKindOf('490154203237519', 'any')).toBe('imei')
    expect(deviceKindOf('box', 'luhn')).toBe('named')
  })

  it('finds each single wrong digit', () => {
    const imei = '490154203237518'
    for (let place = 0; place < imei.length; place++) {
      for (let digit = 0; digit < 10; digit++) {
        const changed = `${imei.slice(0, place)}${digit}${imei.slice(place + 1)}`
        expect(hasLuhnDigit(changed)).toBe(changed === imei)
      }
    }
  })
})

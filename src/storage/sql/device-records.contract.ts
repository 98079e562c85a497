import type { DeviceQuery, DeviceRecord, DeviceRecords } from './device-records.js'

export interface OpenedDeviceRecords {
  readonly records: DeviceRecords
  close(): Promise<void>
}

const T = 1_700_000_000_123
const DAY_MS = 86_400_000

const device = (deviceId: string, changes: Partial<DeviceRecord> = {}): DeviceRecord => ({
  deviceId,
  kind: 'named',
  name: null,
  plate: null,
  brand: null,
  model: null,
  protocol: null,
  status: 'active',
  secretHash: null,
  trackerAllowed: false,
  trackerSack: false,
  commandPassword: null,
  generation: 'g1',
  createdAtMs: T,
  lastSeenAtMs: null,
  ...changes,
})

/** What every registry of devices does. `open` gives an empty one. */
export function deviceRecordsContract(database: string, open: () => Promise<OpenedDeviceRecords>): void {
  describe(`device records on ${database}`, () => {
    let opened: OpenedDeviceRecords
    let records: DeviceRecords

    beforeEach(async () => {
      opened = await open()
      records = opened.records
    })
    afterEach(() => opened.close())

    const insertAll = async (...devices: DeviceRecord[]) => {
      for (const one of devices) await records.insert(one)
    }
    const idsOf = async (query: Partial<DeviceQuery>) =>
      (await records.list({ limit: 500, ...query })).map(({ deviceId }) => deviceId)

    describe('keeping', () => {
      const full = device('356938035643809', {
        kind: 'imei',
        name: 'Wagen Ä 7 🚚',
        plate: 'M-AB 123',
        brand: 'MAN',
        model: 'TGX',
        protocol: 'teltonika',
        status: 'disabled',
        secretHash: 'a'.repeat(64),
        trackerAllowed: true,
        trackerSack: true,
        commandPassword: 'p w',
        lastSeenAtMs: T + 1,
      })

      it('gives every field back as it was given', async () => {
        expect(await records.insert(full)).toBe(true)
        expect(await records.insert(device('empty'))).toBe(true)

        expect(await records.find('356938035643809')).toEqual(full)
        expect(await records.find('empty')).toEqual(device('empty'))
        expect(await records.list({ limit: 10 })).toEqual([full, device('empty')])
      })

      it('keeps the first of two with one id', async () => {
        await records.insert(device('a', { name: 'first' }))

        expect(await records.insert(device('a', { name: 'second' }))).toBe(false)
        expect(await records.find('a')).toEqual(device('a', { name: 'first' }))
      })

      it('inserts one of many at once with one id', async () => {
        const inserted = await Promise.all(
          Array.from({ length: 10 }, (_, i) => records.insert(device('a', { name: `n${i}` }))),
        )

        expect(inserted.filter((isNew) => isNew)).toHaveLength(1)
      })

      it('tells ids apart byte by byte', async () => {
        await insertAll(device('Box'), device('box'), device('box.'))

        expect(await records.find('BOX')).toBeUndefined()
        expect(await records.find('box ')).toBeUndefined()
        expect(await idsOf({})).toEqual(['Box', 'box', 'box.'])
      })

      it('changes what is named and nothing else', async () => {
        await records.insert(full)

        const changed = await records.update(full.deviceId, { name: null, status: 'active', generation: 'g2' })

        expect(changed).toEqual({ ...full, name: null, status: 'active', generation: 'g2' })
        expect(await records.find(full.deviceId)).toEqual(changed)
      })

      it('takes changes that change nothing', async () => {
        await records.insert(full)

        expect(await records.update(full.deviceId, {})).toEqual(full)
        expect(await records.update(full.deviceId, { name: undefined })).toEqual(full)
      })

      it('knows no device to change or delete', async () => {
        expect(await records.update('none', { name: 'x' })).toBeUndefined()
        expect(await records.delete('none')).toBe(false)
        expect(await records.find('none')).toBeUndefined()
      })

      it('keeps both of two changes made at once', async () => {
        await records.insert(device('a'))

        await Promise.all([records.update('a', { name: 'n' }), records.update('a', { plate: 'p' })])

        expect(await records.find('a')).toEqual(device('a', { name: 'n', plate: 'p' }))
        expect(await idsOf({ text: 'n p' })).toEqual(['a'])
      })

      it('learns the protocol as it is now, and brand and model where there is none', async () => {
        await insertAll(device('new', { name: 'Truck 7' }), device('set', { brand: 'Acme', model: 'X1' }))
        const facts = { protocol: 'queclink', brand: 'Queclink', model: 'GV300' }

        expect(await records.learn('new', facts)).toEqual(device('new', { name: 'Truck 7', ...facts }))
        expect(await records.learn('set', { ...facts, protocol: 'ruptela' })).toMatchObject({ protocol: 'ruptela' })
        await records.learn('new', { protocol: null, brand: 'Other', model: 'Other' })

        expect(await records.find('new')).toEqual(device('new', { name: 'Truck 7', ...facts, protocol: null }))
        expect(await records.find('set')).toEqual(device('set', { brand: 'Acme', model: 'X1', protocol: 'ruptela' }))
        expect(await idsOf({ text: 'queclink gv3' })).toEqual(['new'])
      })

      it('learns nothing of a device that is not there, and nothing that is known', async () => {
        const known = device('a', { protocol: 'teltonika', brand: 'Teltonika' })
        await insertAll(known)

        expect(await records.learn('b', { protocol: 'teltonika' })).toBeUndefined()
        expect(await records.learn('a', { protocol: 'teltonika', brand: 'Teltonika' })).toEqual(known)
        expect(await records.learn('a', { protocol: 'teltonika' })).toEqual(known)
      })

      it('does not lose what an admin sets while something is learned', async () => {
        await insertAll(device('a'))
        await Promise.all([
          records.learn('a', { protocol: 'teltonika', brand: 'Teltonika', model: 'FMB120' }),
          records.update('a', { brand: 'Acme', model: 'X1' }),
        ])

        expect(await records.find('a')).toEqual(device('a', { protocol: 'teltonika', brand: 'Acme', model: 'X1' }))
      })

      it('deletes once', async () => {
        await records.insert(device('a'))

        expect(await records.delete('a')).toBe(true)
        expect(await records.delete('a')).toBe(false)
        expect(await records.find('a')).toBeUndefined()
      })
    })

    describe('listing', () => {
      beforeEach(() =>
        insertAll(
          device('c', { status: 'disabled' }),
          device('356938035643809', { kind: 'imei' }),
          device('a'),
          device('490154203237518', { kind: 'imei', status: 'disabled' }),
          device('b'),
        ),
      )

      it('goes on after an id, ascending', async () => {
        expect(await idsOf({ limit: 2 })).toEqual(['356938035643809', '490154203237518'])
        expect(await idsOf({ limit: 2, afterDeviceId: '490154203237518' })).toEqual(['a', 'b'])
        expect(await idsOf({ limit: 2, afterDeviceId: 'b' })).toEqual(['c'])
        expect(await idsOf({ limit: 2, afterDeviceId: 'c' })).toEqual([])
      })

      it('narrows by status and kind', async () => {
        expect(await idsOf({ statuses: ['disabled'] })).toEqual(['490154203237518', 'c'])
        expect(await idsOf({ kinds: ['imei'] })).toEqual(['356938035643809', '490154203237518'])
        expect(await idsOf({ kinds: ['imei'], statuses: ['active'] })).toEqual(['356938035643809'])
        expect(await idsOf({ statuses: ['active', 'disabled'], kinds: ['named', 'imei'] })).toHaveLength(5)
        expect(await idsOf({ statuses: ['disabled'], afterDeviceId: '490154203237518' })).toEqual(['c'])
      })

      it('narrows to some and leaves others out', async () => {
        expect(await idsOf({ among: ['c', 'a', 'nobody'] })).toEqual(['a', 'c'])
        expect(await idsOf({ except: ['c', 'a', 'nobody'] })).toEqual(['356938035643809', '490154203237518', 'b'])
        expect(await idsOf({ among: ['a', 'b'], except: ['a'] })).toEqual(['b'])
        expect(await idsOf({ among: ['a', 'b', 'c'], afterDeviceId: 'a', limit: 1 })).toEqual(['b'])
      })

      it('lets nothing through an empty list, except in what is left out', async () => {
        expect(await idsOf({ among: [] })).toEqual([])
        expect(await idsOf({ statuses: [] })).toEqual([])
        expect(await idsOf({ kinds: [] })).toEqual([])
        expect(await idsOf({ except: [] })).toHaveLength(5)
      })

      it('takes five hundred ids in one call', async () => {
        const many = Array.from({ length: 498 }, (_, i) => `x${i}`)

        expect(await idsOf({ among: ['a', ...many, 'c'] })).toEqual(['a', 'c'])
        expect(await idsOf({ except: ['a', ...many, 'c'] })).toEqual(['356938035643809', '490154203237518', 'b'])
      })
    })

    describe('finding by text', () => {
      beforeEach(() =>
        insertAll(
          device('bus.12-a', {
            plate: 'M-AB 123',
            name: 'Straßenfeger Ärger',
            brand: 'Mercedes-Benz',
            model: 'Actros',
          }),
          device('van_7', { plate: 'B 100% X', name: 'North Depot', brand: 'Ford', model: 'F-150' }),
          device('356938035643809', { kind: 'imei', name: 'ΟΔΟΣ' }),
        ),
      )

      it.each([
        ['m-ab', ['bus.12-a']],
        ['ab', ['bus.12-a']],
        ['123', ['bus.12-a']],
        ['MAB123', ['bus.12-a']],
        ['bus.12', ['bus.12-a']],
        ['12a', ['bus.12-a']],
        ['strassen arg', ['bus.12-a']],
        ['merc benz act', ['bus.12-a']],
        ['f150', ['van_7']],
        ['DÉPOT ford', ['van_7']],
        ['35693803564', ['356938035643809']],
        ['οδος', ['356938035643809']],
        ['feger', []],
        ['merc ford', []],
        ['5693', []],
      ])('%s finds %j', async (text, ids) => {
        expect(await idsOf({ text })).toEqual(ids)
      })

      it.each([
        ['100%', ['van_7']],
        ['van_7', ['van_7']],
        ['n%h', []],
        ['d_pot', []],
      ])('takes nothing in %s for a wildcard and finds %j', async (text, ids) => {
        expect(await idsOf({ text })).toEqual(ids)
      })

      it.each(['%', '_', '\\', "'", '%_%'])('finds nothing by %s, which is in no word', async (text) => {
        expect(await idsOf({ text })).toEqual([])
      })

      it('filters nothing by a blank text', async () => {
        expect(await idsOf({ text: '  ' })).toHaveLength(3)
      })

      it('finds a changed device by what it is now', async () => {
        await records.update('van_7', { name: 'South', plate: null })

        expect(await idsOf({ text: 'south' })).toEqual(['van_7'])
        expect(await idsOf({ text: 'north' })).toEqual([])
        expect(await idsOf({ text: '100' })).toEqual([])
        expect(await idsOf({ text: 'ford' })).toEqual(['van_7'])
      })

      it('joins with the other filters', async () => {
        expect(await idsOf({ text: 'm', among: ['van_7'] })).toEqual([])
        expect(await idsOf({ text: 'b', limit: 1 })).toEqual(['bus.12-a'])
        expect(await idsOf({ text: 'b', limit: 1, afterDeviceId: 'bus.12-a' })).toEqual(['van_7'])
      })
    })

    describe('last seen', () => {
      it('never moves backwards, also within one call', async () => {
        await insertAll(device('a'), device('b', { lastSeenAtMs: T + 100 }), device('c', { lastSeenAtMs: T + 100 }))

        await records.touch([
          { deviceId: 'a', atMs: T + 5 },
          { deviceId: 'a', atMs: T + 3 },
          { deviceId: 'b', atMs: T + 99 },
          { deviceId: 'c', atMs: T + 101 },
          { deviceId: 'unknown', atMs: T },
        ])

        const seen = (await records.list({ limit: 10 })).map(({ lastSeenAtMs }) => lastSeenAtMs)
        expect(seen).toEqual([T + 5, T + 100, T + 101])
      })

      it('takes nothing to write', async () => {
        await records.insert(device('a'))

        await records.touch([])

        expect(await records.find('a')).toEqual(device('a'))
      })

      it('takes a thousand devices at once, and leaves the others', async () => {
        const ids = Array.from({ length: 1001 }, (_, i) => `d${String(i).padStart(4, '0')}`)
        await Promise.all(ids.map((id) => records.insert(device(id))))

        await records.touch(ids.slice(1).map((deviceId, i) => ({ deviceId, atMs: T + i })))

        const first = await records.list({ limit: 3 })
        expect(first.map(({ lastSeenAtMs }) => lastSeenAtMs)).toEqual([null, T, T + 1])
        expect((await records.find('d1000'))?.lastSeenAtMs).toBe(T + 999)
      })
    })

    describe('addresses', () => {
      it('are known from the moment they were seen', async () => {
        await records.rememberAddress('a', '10.0.0.1', T)

        expect(await records.isKnownAddress('a', '10.0.0.1', T - 1)).toBe(true)
        expect(await records.isKnownAddress('a', '10.0.0.1', T)).toBe(true)
        expect(await records.isKnownAddress('a', '10.0.0.1', T + 1)).toBe(false)
        expect(await records.isKnownAddress('a', '10.0.0.2', T)).toBe(false)
        expect(await records.isKnownAddress('b', '10.0.0.1', T)).toBe(false)
      })

      it('are written again after a day and not before', async () => {
        await records.rememberAddress('a', '::1', T)
        await records.rememberAddress('a', '::1', T + DAY_MS - 1)
        expect(await records.isKnownAddress('a', '::1', T + 1)).toBe(false)

        await records.rememberAddress('a', '::1', T + DAY_MS)

        expect(await records.isKnownAddress('a', '::1', T + DAY_MS)).toBe(true)
      })

      it('are forgotten by age', async () => {
        await records.rememberAddress('a', '10.0.0.1', T)
        await records.rememberAddress('b', '10.0.0.1', T + 5)

        expect(await records.forgetAddresses(T + 5)).toBe(1)

        expect(await records.isKnownAddress('a', '10.0.0.1', 0)).toBe(false)
        expect(await records.isKnownAddress('b', '10.0.0.1', 0)).toBe(true)
      })

      it('go with their device, and come again with the next of that id', async () => {
        await records.insert(device('a'))
        await records.rememberAddress('a', '10.0.0.1', T)
        await records.delete('a')
        expect(await records.isKnownAddress('a', '10.0.0.1', 0)).toBe(false)

        await records.rememberAddress('a', '10.0.0.1', T)

        expect(await records.isKnownAddress('a', '10.0.0.1', 0)).toBe(true)
      })
    })
  })
}

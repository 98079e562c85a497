import fc from 'fast-check'
import { Metrics } from '../metrics/metrics.js'
import type { ClosingCode, Link, PresenceChange } from './link.js'
import { CONTESTED_MS, HEARD_ONLINE_MS, OVERLAP_MS, Sessions } from './sessions.js'

function build() {
  let now = 1_000_000
  const metrics = new Metrics()
  const sessions = new Sessions(metrics, () => now)
  const changes: PresenceChange[] = []
  sessions.onPresence((change) => changes.push(change))
  const contestedCount = async () => (await metrics.devicesContested.get()).values[0]?.value ?? 0
  return { sessions, changes, contestedCount, pass: (ms: number) => (now += ms) }
}

function link(deviceId: string, transport: Link['transport'] = 'socket') {
  const closed: ClosingCode[] = []
  const one: Link = {
    deviceId,
    transport,
    openedAtMs: 0,
    carriesCommandIds: true,
    sendCommand: async () => undefined,
    close: (code) => closed.push(code),
  }
  return { one, closed }
}

describe('Sessions', () => {
  it('tells of links once their units have joined, and not of those that were ended before', () => {
    const { sessions } = build()
    const heard: Link[] = []
    sessions.onLink((one) => heard.push(one))
    const older = link('d1')
    const newer = link('d1')
    sessions.open(older.one, true)
    sessions.open(newer.one, true)
    expect(heard).toEqual([])
    sessions.ready(older.one)
    sessions.ready(newer.one)
    expect(heard).toEqual([newer.one])
  })

  it('tells once that a link has ended, and who was the first to end it', () => {
    const { sessions } = build()
    const ends: Array<[string, Link, string]> = []
    const [cut, replaced, ended, early] = ['cut', 'replaced', 'ended', 'early'].map((id) => link(id).one) as [
      Link,
      Link,
      Link,
      Link,
    ]
    sessions.onLinkEnd((one, endedBy) => ends.push([one.deviceId, one, endedBy]))
    for (const one of [cut, replaced, ended, early]) sessions.open(one, true)
    sessions.closed(cut)
    sessions.closed(cut)
    sessions.open({ ...replaced }, true)
    sessions.closed(replaced)
    sessions.end(ended, 'token_expired')
    expect(ends.map(([deviceId]) => deviceId)).toEqual(['cut', 'replaced'])
    sessions.closed(ended)
    sessions.closed(early)
    sessions.end(early, 'token_expired')
    const idle = link('idle').one
    sessions.open(idle, false)
    sessions.closed(idle, 'server')
    expect(ends).toEqual([
      ['cut', cut, 'unit'],
      ['replaced', replaced, 'server'],
      ['ended', ended, 'server'],
      ['early', early, 'unit'],
      ['idle', idle, 'server'],
    ])
  })

  it('tells of devices that left the registry, whether they had been there or not', () => {
    const { sessions } = build()
    const gone: string[] = []
    sessions.onForgotten((deviceId) => gone.push(deviceId))
    sessions.open(link('d1').one, true)
    for (const deviceId of ['d1', 'd2']) sessions.forget(deviceId)
    expect(gone).toEqual(['d1', 'd2'])
  })

  it('lets the newest exclusive link win and tells the older one why', () => {
    const { sessions, changes } = build()
    const older = link('d1')
    const newer = link('d1')
    expect(sessions.open(older.one, true)).toBe(true)
    expect(sessions.open(newer.one, true)).toBe(true)
    expect(older.closed).toEqual(['replaced'])
    expect(newer.closed).toEqual([])
    expect(sessions.linkOf('d1')).toBe(newer.one)
    sessions.closed(older.one)
    expect(sessions.presenceOf('d1').online).toBe(true)
    expect(changes).toEqual([{ deviceId: 'd1', online: true, transport: 'socket', atMs: 1_000_000 }])
  })

  it('keeps several links that are not exclusive and gives commands to the newest', () => {
    const { sessions } = build()
    const first = link('d1', 'tcp')
    const second = link('d1', 'tcp')
    sessions.open(first.one, false)
    sessions.open(second.one, false)
    expect([first.closed, second.closed]).toEqual([[], []])
    expect(sessions.linkOf('d1')).toBe(second.one)
    sessions.closed(second.one)
    expect(sessions.linkOf('d1')).toBe(first.one)
  })

  it('shows a device as contested when two links that stand beside each other are both heard on and on', async () => {
    const { sessions, pass, contestedCount } = build()
    const [older, newer] = [link('d1', 'tcp').one, link('d1', 'tcp').one]
    const isContested = () => sessions.presenceOf('d1').contested
    sessions.open(older, false)
    sessions.heard('d1', older)
    sessions.open(newer, false)
    pass(OVERLAP_MS - 1)
    sessions.heard('d1', older)
    sessions.heard('d1', newer)
    expect(isContested()).toBe(false)
    pass(1)
    sessions.heard('d1', older)
    expect(isContested()).toBe(false)
    sessions.heard('d1', newer)
    expect(isContested()).toBe(true)
    pass(CONTESTED_MS - 1)
    sessions.heard('d1', older)
    sessions.heard('d1', newer)
    sessions.closed(newer)
    pass(1)
    sessions.heard('d1', older)
    expect([isContested(), await contestedCount()]).toEqual([true, 1])
    pass(CONTESTED_MS)
    expect(isContested()).toBe(false)
  })

  it('does not for a unit that comes back again and again and leaves dead links behind', () => {
    const { sessions, pass } = build()
    for (let n = 0; n < 30; n++) {
      const { one } = link('d1', 'tcp')
      sessions.open(one, false)
      for (let minute = 0; minute < 3; minute++) {
        sessions.heard('d1', one)
        pass(60_000)
      }
    }
    expect(sessions.presenceOf('d1').contested).toBe(false)
  })

  it('does not for a unit that goes on with its first link after another one died or was ended', () => {
    const { sessions, pass } = build()
    const [first, dead, ended, back] = ['1', '2', '3', '4'].map(() => link('d1', 'tcp').one) as [Link, Link, Link, Link]
    for (const one of [first, dead, ended]) sessions.open(one, false)
    sessions.closed(ended)
    pass(OVERLAP_MS)
    sessions.heard('d1', first)
    pass(60_000)
    sessions.open(back, false)
    sessions.heard('d1', back)
    expect(sessions.presenceOf('d1').contested).toBe(false)
  })

  it('bears five replacements a minute, then refuses the newcomer for a minute and shows the device as contested', async () => {
    const { sessions, pass, contestedCount } = build()
    for (let n = 0; n < 6; n++) expect(sessions.open(link('d1').one, true)).toBe(true)
    const holder = sessions.linkOf('d1')
    expect(sessions.presenceOf('d1').contested).toBe(false)
    expect(sessions.open(link('d1').one, true)).toBe(false)
    expect(sessions.linkOf('d1')).toBe(holder)
    expect(sessions.presenceOf('d1').contested).toBe(true)
    pass(59_999)
    expect(sessions.open(link('d1').one, true)).toBe(false)
    pass(60_001)
    expect(sessions.open(link('d1').one, true)).toBe(true)
    expect(sessions.presenceOf('d1').contested).toBe(true)
    pass(CONTESTED_MS)
    expect(sessions.presenceOf('d1').contested).toBe(false)
    expect(await contestedCount()).toBe(1)
  })

  it('does not count a reconnect after an end as a replacement', () => {
    const { sessions } = build()
    for (let n = 0; n < 20; n++) {
      const { one } = link('d1')
      expect(sessions.open(one, true)).toBe(true)
      sessions.closed(one)
    }
    expect(sessions.presenceOf('d1')).toMatchObject({ online: false, transport: null, contested: false })
  })

  it('counts a device heard without a link as online for two minutes', () => {
    const { sessions, changes, pass } = build()
    sessions.heardWithoutLink('d1', 'http')
    expect(sessions.presenceOf('d1')).toEqual({
      online: true,
      transport: 'http',
      lastSeenAtMs: 1_000_000,
      contested: false,
    })
    pass(HEARD_ONLINE_MS - 1)
    sessions.sweep()
    expect(sessions.listOnline(10)).toEqual(['d1'])
    pass(1)
    expect(sessions.presenceOf('d1').online).toBe(false)
    sessions.sweep()
    expect(changes.map(({ online, transport }) => [online, transport])).toEqual([
      [true, 'http'],
      [false, null],
    ])
  })

  it('prefers the link over having been heard, and falls back to it', () => {
    const { sessions } = build()
    const { one } = link('d1')
    sessions.heardWithoutLink('d1', 'http')
    sessions.open(one, true)
    expect(sessions.presenceOf('d1').transport).toBe('socket')
    sessions.closed(one)
    expect(sessions.presenceOf('d1').transport).toBe('http')
  })

  it('lists who is online byte by byte, a page at a time', () => {
    const { sessions } = build()
    const links = ['b', 'a', 'B', 'a1'].map((id) => link(id).one)
    for (const one of links) sessions.open(one, true)
    expect([sessions.onlineCount, sessions.listOnline(10)]).toEqual([4, ['B', 'a', 'a1', 'b']])
    expect([sessions.listOnline(2), sessions.listOnline(2, 'a'), sessions.listOnline(2, 'a0')]).toEqual([
      ['B', 'a'],
      ['a1', 'b'],
      ['a1', 'b'],
    ])
    sessions.closed(links[1] as Link)
    expect([sessions.onlineCount, sessions.listOnline(10, 'B')]).toEqual([3, ['a1', 'b']])
  })

  it('keeps the same devices listed as present, whatever comes and goes', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ n: fc.nat(9), what: fc.constantFrom('open', 'close', 'hear', 'wait') })),
        (acts) => {
          const { sessions, pass } = build()
          for (const { n, what } of acts) {
            const deviceId = `d${n}`
            const present = sessions.linkOf(deviceId)
            if (what === 'open') sessions.open(link(deviceId).one, false)
            else if (what === 'close' && present !== undefined) sessions.closed(present)
            else if (what === 'hear') sessions.heardWithoutLink(deviceId, 'http')
            else if (what === 'wait') pass(HEARD_ONLINE_MS / 2)
          }
          sessions.sweep()
          const ids = Array.from({ length: 10 }, (_, n) => `d${n}`)
          expect(sessions.listOnline(10)).toEqual(ids.filter((deviceId) => sessions.presenceOf(deviceId).online))
        },
      ),
    )
  })

  it('answers with 100,000 devices, half of them online, in a moment', () => {
    const { sessions, pass } = build()
    for (let n = 0; n < 50_000; n++) sessions.heardWithoutLink(`gone-${n}`, 'http')
    pass(HEARD_ONLINE_MS)
    for (let n = 0; n < 50_000; n++) sessions.heardWithoutLink(`here-${n}`, 'http')
    sessions.sweep()
    const startedMs = process.cpuUsage().user
    for (let n = 0; n < 100; n++) {
      expect(sessions.listOnline(500, 'here-3')).toHaveLength(500)
      expect(sessions.takeLastSeen(500)).toHaveLength(500)
    }
    // Going through all of them takes tens of milliseconds each time.
    expect(process.cpuUsage().user - startedMs).toBeLessThan(1_000_000)
  })

  it('gives changed last-heard times once', () => {
    const { sessions, pass } = build()
    sessions.open(link('d1').one, true)
    pass(5)
    sessions.heard('d1')
    expect(sessions.takeLastSeen(10)).toEqual([{ deviceId: 'd1', atMs: 1_000_005 }])
    expect(sessions.takeLastSeen(10)).toEqual([])
    sessions.heard('d1')
    expect(sessions.takeLastSeen(10)).toEqual([{ deviceId: 'd1', atMs: 1_000_005 }])
  })

  it('ends all links of a device or of everyone', () => {
    const { sessions } = build()
    const one = link('d1')
    const two = link('d2')
    sessions.open(one.one, true)
    sessions.open(two.one, true)
    sessions.endLinks('d1', 'device_disabled')
    expect([one.closed, two.closed]).toEqual([['device_disabled'], []])
    sessions.endAll('shutting_down')
    expect(two.closed).toEqual(['shutting_down'])
  })

  it('ends one link and counts it once', async () => {
    const metrics = new Metrics()
    const sessions = new Sessions(metrics)
    const [one, other] = [link('d1'), link('d1')]
    for (const { one: opened } of [one, other]) sessions.open(opened, false)
    sessions.end(one.one, 'token_expired')
    sessions.closed(one.one)
    sessions.end(one.one, 'token_expired')
    expect([one.closed, other.closed]).toEqual([['token_expired'], []])
    expect(await metrics.registry.getSingleMetricAsString('milepost_links_closed_total')).toContain(
      'milepost_links_closed_total{code="token_expired"} 1',
    )
  })

  it('forgets a deleted device, and tells that it went', () => {
    const { sessions, changes } = build()
    sessions.heardWithoutLink('d1', 'http')
    sessions.forget('d1')
    expect(sessions.presenceOf('d1')).toEqual({ online: false, transport: null, lastSeenAtMs: null, contested: false })
    expect(sessions.takeLastSeen(10)).toEqual([])
    expect(changes.map(({ online }) => online)).toEqual([true, false])
  })

  it('keeps track of a deleted device until its link has closed', () => {
    const { sessions, changes } = build()
    const { one, closed } = link('d1')
    sessions.open(one, true)
    sessions.forget('d1')
    expect(closed).toEqual(['device_disabled'])
    sessions.closed(one)
    sessions.sweep()
    expect(sessions.presenceOf('d1')).toEqual({ online: false, transport: null, lastSeenAtMs: null, contested: false })
    expect(changes.map(({ online }) => online)).toEqual([true, false])
  })
})

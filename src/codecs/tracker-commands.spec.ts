import type { CommandParams, CommandType } from '../model/command.js'
import { findUnsupported } from './find-unsupported.js'
import { encodeTagPacket } from './galileosky/encode-records.js'
import { GALILEOSKY } from './galileosky/galileosky-codec.js'
import { QUECLINK } from './queclink/queclink-codec.js'
import { encodeUnitFrame } from './ruptela/encode-records.js'
import { RUPTELA } from './ruptela/ruptela-codec.js'
import { encodeCodec14 } from './teltonika/encode-command.js'
import { TELTONIKA } from './teltonika/teltonika-codec.js'
import type { CommandTarget, TrackerCodec } from './tracker-codec.js'
import { TRACKER_CODECS } from './tracker-codecs.js'
import { framesOf } from './tracker-frames.contract.js'

const TARGET: CommandTarget = { imei: '868204005647838', model: null, password: null, serial: 42 }

function encode(
  codec: TrackerCodec,
  type: CommandType,
  params: CommandParams = {},
  target: Partial<CommandTarget> = {},
): { hex?: string; text?: string; key?: string | undefined; unsupported?: string } {
  const encoded = codec.encodeCommand({ type, params }, { ...TARGET, ...target })
  if ('unsupported' in encoded) return { unsupported: encoded.unsupported }
  const { bytes, replyKey, isNumbered } = encoded
  if (codec === QUECLINK) return { text: bytes.toString('latin1'), key: isNumbered ? replyKey : 'without number' }
  return { hex: bytes.toString('hex'), key: replyKey }
}

const hexOf = (brand: string, id: string) => framesOf(brand).find((frame) => frame.id === id)?.hex
const custom = (text: string) => ({ text })
const SERVER = { host: 'fleet.example.com', port: 5027 }

// The bytes were put together by another program, from the descriptions of the protocols.
describe('commands to Teltonika trackers', () => {
  it('restart the unit, and never set it back', () => {
    const hex = `00000000000000100c010500000008${Buffer.from('cpureset').toString('hex')}0100007a75`
    expect(encode(TELTONIKA, 'RESET')).toEqual({ hex, key: 'response' })
    expect(encode(TELTONIKA, 'REBOOT')).toEqual({ hex, key: 'response' })
  })

  it('set the interval of the moving unit in every network', () => {
    const text = Buffer.from('setparam 10050:30;10150:30;10250:30').toString('hex')
    expect(encode(TELTONIKA, 'SET_INTERVAL', { seconds: 30 }).hex).toBe(
      `000000000000002b0c010500000023${text}0100000b0b`,
    )
  })

  it('set the first server, by TCP', () => {
    const text = Buffer.from('setparam 2004:fleet.example.com;2005:5027;2006:0').toString('hex')
    expect(encode(TELTONIKA, 'SET_SERVER', SERVER).hex).toBe(`00000000000000380c010500000030${text}010000b013`)
  })

  it.each(['tel-c12-getinfo-wiki', 'tel-c12-getio-wiki'])('are the text of the user: %s', (id) => {
    const { command } = framesOf('teltonika').find((frame) => frame.id === id)?.expect ?? {}
    expect(encode(TELTONIKA, 'CUSTOM', custom(String(command?.payloadText))).hex).toBe(hexOf('teltonika', id))
  })

  it('can name the unit', () => {
    expect(encodeCodec14('352093081452251', 'getver').toString('hex')).toBe(hexOf('teltonika', 'tel-c14-getver-wiki'))
  })

  it('name no server that the unit cannot read', () => {
    expect(encode(TELTONIKA, 'SET_SERVER', { host: '2001:db8::1', port: 1 })).toEqual({
      unsupported: 'a host is a name or an address of IPv4',
    })
    expect(encode(TELTONIKA, 'SET_SERVER', { host: `${'a'.repeat(52)}.com`, port: 1 })).toEqual({
      unsupported: 'a host has at most 55 characters',
    })
  })

  it('are printable, and not too long', () => {
    expect(encode(TELTONIKA, 'CUSTOM', custom('getver\n')).unsupported).toBe(
      'a text has only printable characters of ASCII',
    )
    expect(encode(TELTONIKA, 'CUSTOM', custom('x'.repeat(1001))).unsupported).toBe('a text has at most 1000 characters')
  })
})

describe('commands to Queclink trackers', () => {
  it('restart the unit by its password, or by what it is as it leaves the factory; never "reset", which sets it back', () => {
    const reboot = { text: 'AT+GTRTO=gv300,3,,,,,,002A$', key: 'GTRTO 002A' }
    for (const type of ['RESET', 'REBOOT'] as const)
      expect(encode(QUECLINK, type, {}, { model: 'GV300' })).toEqual(reboot)
    expect(encode(QUECLINK, 'RESET', {}, { model: 'GV300', password: 'Sesam1', serial: 0xffff })).toEqual({
      text: 'AT+GTRTO=Sesam1,3,,,,,,FFFF$',
      key: 'GTRTO FFFF',
    })
  })

  it.each([
    ['none is known', {}],
    ['it holds a comma', { password: 'a,4' }],
    ['it holds the end of a message', { password: 'a$' }],
    ['the model is no password', { model: 'GV300 in truck 7' }],
  ])('need a password: %s', (_, target) => {
    expect(encode(QUECLINK, 'REBOOT', {}, target).unsupported).toBe(
      'the commandPassword of the device must be set: 1 to 20 characters without comma and $',
    )
  })

  it.each(['que-cmd-rto-cfg-vendor', 'que-cmd-pin-vendor'])('are the text of the user: %s', (id) => {
    const text = Buffer.from(hexOf('queclink', id) ?? '', 'hex').toString('latin1')
    expect(encode(QUECLINK, 'CUSTOM', custom(text))).toEqual({
      text,
      key: text.replace(/^AT\+(\w+)=.*,(\w{4})\$$/, '$1 $2'),
    })
  })

  it('get a number of the server where the user gives none', () => {
    expect(encode(QUECLINK, 'CUSTOM', custom('AT+GTRTO=gl300,2,,,,,,$'))).toEqual({
      text: 'AT+GTRTO=gl300,2,,,,,,002A$',
      key: 'GTRTO 002A',
    })
  })

  it.each(['getinfo', 'AT+GTRTO=gl300,2', 'AT+GTRTO=gl300,2,,,,,,00$', 'AT+GTRTO=a$AT+GTRTO=b,000F$'])(
    'look like commands: %s does not',
    (text) => {
      expect(encode(QUECLINK, 'CUSTOM', custom(text)).unsupported).toMatch(/^a command looks like AT\+GTRTO=/)
    },
  )

  it('set no interval and no server', () => {
    const unsupported =
      'on Queclink trackers it differs between models and sets much more: send the whole command as CUSTOM'
    expect(encode(QUECLINK, 'SET_INTERVAL', { seconds: 30 })).toEqual({ unsupported })
    expect(encode(QUECLINK, 'SET_SERVER', SERVER)).toEqual({ unsupported })
  })
})

describe('commands to Ruptela trackers', () => {
  it('restart the unit by its password, or a blank', () => {
    for (const type of ['RESET', 'REBOOT'] as const)
      expect(encode(RUPTELA, type)).toEqual({ hex: '00076c2072657365742545', key: '7' })
    expect(encode(RUPTELA, 'RESET', {}, { password: '1234' }).hex).toBe('000b6c31323334207265736574e2d9')
    expect(encode(RUPTELA, 'RESET', {}, { password: 'a b' }).unsupported).toBe(
      'the commandPassword of the device must have 1 to 50 characters of ASCII without blanks',
    )
  })

  it('set the server, which nothing answers', () => {
    const text = Buffer.from('fleet.example.com,5046,TCP').toString('hex')
    expect(encode(RUPTELA, 'SET_SERVER', { ...SERVER, port: 5046 })).toEqual({
      hex: `001b69${text}6cd9`,
      key: undefined,
    })
    expect(encode(RUPTELA, 'SET_SERVER', { host: '::1', port: 1 }).unsupported).toBe(
      'a host is a name or an address of IPv4',
    )
  })

  it('are the text of the user', () => {
    expect(encode(RUPTELA, 'CUSTOM', custom('1234 getio')).hex).toBe(hexOf('ruptela', 'rup-cmd-6c-getio'))
  })

  it('set no interval', () => {
    expect(encode(RUPTELA, 'SET_INTERVAL', { seconds: 30 }).unsupported).toBe('Ruptela trackers have no command for it')
  })
})

describe('commands to Galileosky trackers', () => {
  const start = (length: string) => `01${length}0003383638323034303035363437383338040000e02a000000e1`

  it('restart the unit', () => {
    const hex = `${start('1f')}057265736574f01b`
    for (const type of ['RESET', 'REBOOT'] as const) expect(encode(GALILEOSKY, type)).toEqual({ hex, key: '42' })
  })

  it('set the interval, moving and standing, and the server', () => {
    expect(encode(GALILEOSKY, 'SET_INTERVAL', { seconds: 30 }).hex).toBe(
      `${start('28')}0e7772706572696f642033302c3330217c`,
    )
    const text = Buffer.from('serverip fleet.example.com,5034').toString('hex')
    expect(encode(GALILEOSKY, 'SET_SERVER', { ...SERVER, port: 5034 }).hex).toBe(`${start('39')}1f${text}5ad6`)
    expect(encode(GALILEOSKY, 'SET_SERVER', { host: '::1', port: 1 }).unsupported).toBe(
      'a host is a name or an address of IPv4',
    )
  })

  it('are the text of the user, in code page 1251', () => {
    expect(encode(GALILEOSKY, 'CUSTOM', custom('status'), { serial: 0 }).hex).toBe(
      hexOf('galileosky', 'gal-command-vendor'),
    )
    expect(encode(GALILEOSKY, 'CUSTOM', custom('Выход 1,1')).hex).toBe(`${start('23')}09c2fbf5eee420312c317d68`)
  })

  it('have at most 255 characters of that alphabet', () => {
    expect(encode(GALILEOSKY, 'CUSTOM', custom('x'.repeat(255))).hex).toHaveLength(
      2 * (3 + 15 + 1 + 3 + 5 + 2 + 255 + 2),
    )
    expect(encode(GALILEOSKY, 'CUSTOM', custom('Ж'.repeat(255))).hex).toHaveLength(
      2 * (3 + 15 + 1 + 3 + 5 + 2 + 255 + 2),
    )
    expect(encode(GALILEOSKY, 'CUSTOM', custom('x'.repeat(256))).unsupported).toBe('a text has at most 255 characters')
    expect(encode(GALILEOSKY, 'CUSTOM', custom('日')).unsupported).toBe(
      'a text has only characters of code page 1251, and no control characters',
    )
  })

  it('are for units with an IMEI of 15 digits, which is how they know themselves', () => {
    expect(encode(GALILEOSKY, 'RESET', {}, { imei: '86820400564783' }).unsupported).toBe(
      'the device must have an IMEI of 15 digits',
    )
  })
})

describe('commands that a protocol has nothing for', () => {
  const question = { params: {}, deviceId: TARGET.imei, model: null, commandPassword: null }

  it('are known by the name of the protocol, in words', () => {
    for (const { protocol, brand } of TRACKER_CODECS)
      expect(findUnsupported(protocol, { ...question, type: 'REQUEST_VIDEO' })).toBe(
        `${brand} trackers have no command for it`,
      )
    expect(findUnsupported('teltonika', { ...question, type: 'RESET' })).toBeUndefined()
    expect(findUnsupported('queclink', { ...question, type: 'RESET' })).toMatch(/commandPassword/)
    expect(findUnsupported('queclink', { ...question, type: 'RESET', commandPassword: 'x' })).toBeUndefined()
    expect(findUnsupported('queclink', { ...question, type: 'RESET', model: 'GV300' })).toBeUndefined()
  })

  it('are nobody’s of a protocol that is not known here', () => {
    expect(findUnsupported('other', { ...question, type: 'REQUEST_VIDEO' })).toBeUndefined()
  })

  it('never stop a program, whatever is asked for', () => {
    const types: CommandType[] = ['RESET', 'REBOOT', 'SET_INTERVAL', 'SET_SERVER', 'REQUEST_VIDEO', 'CUSTOM']
    for (const codec of TRACKER_CODECS)
      for (const type of types)
        for (const params of [{}, { text: '', host: '', port: -1, seconds: 1e9 }, { text: '\u0000\ud800' }])
          expect(() => encode(codec, type, params, { imei: 'x', password: '', model: '' })).not.toThrow()
  })
})

describe('answers to commands', () => {
  it('of Ruptela trackers to setting an element: 0 is success', () => {
    const answer = (result: number) => RUPTELA.decode(encodeUnitFrame(TARGET.imei, 0x11, Buffer.of(result))).reply
    expect(answer(0)).toEqual({ key: '11', status: 'done', result: null, message: 'done' })
    expect(answer(1)).toEqual({ key: '11', status: 'failed', result: null, message: 'failed' })
    expect(answer(2)).toEqual({ key: '11', status: 'failed', result: null, message: 'unsupported' })
    expect(answer(119)).toEqual({ key: '11', status: 'failed', result: null, message: 'an unknown result' })
  })

  it('of Queclink trackers are known by the command’s name and the number third from the end, whatever stands before it', () => {
    const reply = (text: string) => QUECLINK.decode(Buffer.from(text, 'latin1')).reply
    expect(reply('+ACK:GTRTO,1A0102,135790246811220,,GPS,000B,20100310172830,11F0$')).toEqual({
      key: 'GTRTO 000B',
      status: 'done',
      result: null,
      message: 'GPS',
    })
    expect(reply('+ACK:GTQSS,1A0102,135790246811220,,000b,20100310172830,11F0$')?.key).toBe('GTQSS 000B')
    expect(reply('+NACK:GTRTO,1A0102,135790246811220,,0,000B,20100310172830,11F0$')).toEqual({
      key: 'GTRTO 000B',
      status: 'failed',
      result: null,
      message: '0',
    })
  })

  it('of Galileosky trackers are words in code page 1251', () => {
    const packet = encodeTagPacket(Buffer.from('e02a000000e107c2fbf5eee42031', 'hex'))
    expect(GALILEOSKY.decode(packet).reply).toEqual({ key: '42', status: 'done', result: null, message: 'Выход 1' })
  })
})

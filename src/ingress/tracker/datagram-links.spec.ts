import { QUECLINK } from '../../codecs/queclink/queclink-codec.js'
import type { CommandOrder } from '../../model/command.js'
import { DatagramLinks, type DatagramLinksHost, type DatagramSource } from './datagram-links.js'
import { SentCommands } from './sent-commands.js'
import type { TrackerDevice } from './tracker-device.js'
import type { TrackerLink } from './tracker-link.js'

const IMEI = '135790246811220'
const DEVICE: TrackerDevice = { deviceId: IMEI, model: 'GV300', sack: false, commandPassword: 'secret' }
const HERE = { address: '192.0.2.7', port: 4000 }
const THERE = { address: '192.0.2.7', port: 4001 }
const REBOOT: CommandOrder = { id: 'c', type: 'REBOOT', params: {}, expiresAtMs: 0 }

class Host implements DatagramLinksHost {
  readonly codec = QUECLINK
  readonly sent = new SentCommands()
  readonly written: Array<readonly [text: string, source: DatagramSource]> = []
  readonly opened: TrackerLink[] = []
  readonly ended: TrackerLink[] = []
  hasConnection = false

  send(bytes: Buffer, source: DatagramSource): boolean {
    this.written.push([bytes.toString(), source])
    return true
  }

  isLinked(): boolean {
    return this.hasConnection
  }

  open(link: TrackerLink): void {
    this.opened.push(link)
  }

  closed(link: TrackerLink): void {
    this.ended.push(link)
  }
}

describe('links to devices that send datagrams', () => {
  let host: Host
  let links: DatagramLinks
  let nowMs: number

  beforeEach(() => {
    host = new Host()
    nowMs = 1_000_000
    links = new DatagramLinks(host, () => nowMs)
  })

  afterEach(() => links.close())

  it('are opened once, and lead to where the device was heard last', async () => {
    links.hear(DEVICE, HERE)
    links.hear(DEVICE, THERE)
    expect(host.opened.map(({ deviceId, transport }) => [deviceId, transport])).toEqual([[IMEI, 'udp']])
    const reply = links.find(IMEI)?.sendCommand(REBOOT, 5000)
    const [[text, source] = []] = host.written
    expect([text, source]).toEqual([expect.stringMatching(/^AT\+GTRTO=secret,3,.*[0-9A-F]{4}\$$/), THERE])
    const key = `GTRTO ${text?.slice(-5, -1)}`
    expect(links.find(IMEI)?.takeReply({ key, status: 'done', result: null, message: null })).toBe(true)
    expect(await reply).toEqual({ status: 'done', result: null, message: null })
  })

  it('end two minutes after the device was heard last', () => {
    links.hear(DEVICE, HERE)
    nowMs += 119_000
    links.hear(DEVICE, HERE)
    nowMs += 119_999
    links.tick()
    expect(host.ended).toEqual([])
    nowMs += 1
    links.tick()
    expect(host.ended).toEqual(host.opened)
    expect(links.find(IMEI)).toBeUndefined()
  })

  it('last for as long as the answer to a command is waited for', async () => {
    links.hear(DEVICE, HERE)
    const reply = links.find(IMEI)?.sendCommand(REBOOT, 20)
    nowMs += 150_000
    links.tick()
    expect(host.ended).toEqual([])
    expect(await reply).toBeUndefined()
    links.tick()
    expect(host.ended).toEqual(host.opened)
  })

  it('end when the device is disabled, and are opened anew when it is heard again', async () => {
    links.hear(DEVICE, HERE)
    const reply = links.find(IMEI)?.sendCommand(REBOOT, 5000)
    host.opened[0]?.close('device_disabled')
    expect(await reply).toBeUndefined()
    expect(host.ended).toEqual(host.opened)
    links.hear(DEVICE, HERE)
    expect(host.opened.length).toBe(2)
  })

  it('are not opened to a device that has a connection', () => {
    host.hasConnection = true
    links.hear(DEVICE, HERE)
    expect(host.opened).toEqual([])
  })
})

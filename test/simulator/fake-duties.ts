import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'socket.io'
import { z } from 'zod'

const Alarm = z.looseObject({
  type: z.string(),
  time: z.iso.datetime(),
  files: z.array(z.string()).default([]),
  attributes: z.object({ eventKey: z.string() }),
})
export type ReceivedAlarm = z.infer<typeof Alarm>

const Result = z.object({
  id: z.string(),
  status: z.enum(['done', 'failed']),
  result: z.unknown().optional(),
  message: z.string().optional(),
})
export type ReceivedResult = z.infer<typeof Result>

export interface ReceivedFile {
  readonly deviceId: string
  readonly fileName: string
  readonly bytes: Buffer
  readonly headers: IncomingMessage['headers']
}

export interface Order {
  readonly id: string
  readonly type: string
  readonly params?: object
}

type Ack = (answer: unknown) => void
/** What becomes of one event: taken and acked, taken without an ack, neither, or answered as given. */
export type DutyVerdict = 'take' | 'take_in_silence' | 'silence' | { readonly answer: unknown }
/** What becomes of an upload: stored, stored and the connection dropped, or dropped. */
export type UploadVerdict = 'store' | 'store_in_silence' | 'drop' | { readonly status: number; readonly code: string }

/** The contract's alarms, files and commands, in memory, with a say in every answer. */
export class FakeDuties {
  /** Each alarm once, by (device, type, time, event key), in the order they came. */
  readonly alarms = new Map<string, ReceivedAlarm & { readonly deviceId: string }>()
  /** Every alarm event, in order. */
  readonly alarmEvents: ReceivedAlarm[] = []
  /** Stored files by device and name. */
  readonly files = new Map<string, ReceivedFile>()
  readonly uploads: ReceivedFile[] = []
  /** Every `command:result` that came, in order. */
  readonly results: ReceivedResult[] = []
  /** What came, by kind and name, in the order it was taken. */
  readonly order: string[] = []
  judgeAlarm: (alarm: ReceivedAlarm) => DutyVerdict = () => 'take'
  judgeResult: (result: ReceivedResult) => DutyVerdict = () => 'take'
  judgeUpload: (file: ReceivedFile) => UploadVerdict = () => 'store'
  /** Sent to each device as soon as its link is open. */
  onLink: (deviceId: string, socket: Socket) => void = () => {}

  private readonly sockets = new Map<string, Socket>()

  attach(deviceId: string, socket: Socket): void {
    this.sockets.set(deviceId, socket)
    socket.once('disconnect', () => {
      if (this.sockets.get(deviceId) === socket) this.sockets.delete(deviceId)
    })
    socket.on('alarm', (payload: unknown, ack: Ack) => this.takeAlarm(deviceId, Alarm.parse(payload), ack))
    socket.on('command:result', (payload: unknown, ack: Ack) => this.takeResult(Result.parse(payload), ack))
    this.onLink(deviceId, socket)
  }

  isOnline(deviceId: string): boolean {
    return this.sockets.has(deviceId)
  }

  /** The unit's answer to the command; undefined when none comes in time. */
  async send(deviceId: string, order: Order, timeoutMs = 1000): Promise<unknown> {
    const command = { params: {}, expiresAt: '2100-01-01T00:00:00.000Z', ...order }
    return this.sockets
      .get(deviceId)
      ?.timeout(timeoutMs)
      .emitWithAck('command', command)
      .catch(() => undefined)
  }

  async takeFile(deviceId: string, fileName: string, request: IncomingMessage) {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(Buffer.from(chunk))
    const file: ReceivedFile = { deviceId, fileName, bytes: Buffer.concat(chunks), headers: request.headers }
    this.uploads.push(file)
    const verdict = this.judgeUpload(file)
    if (typeof verdict === 'object') return { status: verdict.status, answer: { code: verdict.code } }
    if (verdict === 'drop') return { status: 0, answer: undefined }
    const key = `${deviceId}/${fileName}`
    const known = this.files.get(key)
    if (known !== undefined && digestOf(known.bytes) !== digestOf(file.bytes)) {
      return { status: 409, answer: { code: 'file_exists' } }
    }
    if (known === undefined) {
      this.files.set(key, file)
      this.order.push(`file ${fileName}`)
    }
    const status = verdict === 'store_in_silence' ? 0 : known === undefined ? 201 : 200
    return { status, answer: { id: `video-of-${fileName}` } }
  }

  private takeAlarm(deviceId: string, alarm: ReceivedAlarm, ack: Ack): void {
    this.alarmEvents.push(alarm)
    const verdict = this.judgeAlarm(alarm)
    if (typeof verdict === 'object') ack(verdict.answer)
    if (typeof verdict === 'object' || verdict === 'silence') return
    const id = [deviceId, alarm.type, alarm.time, alarm.attributes.eventKey].join('/')
    const duplicate = this.alarms.has(id)
    if (!duplicate) {
      this.alarms.set(id, { ...alarm, deviceId })
      this.order.push(`alarm ${alarm.files.join()}`)
    }
    if (verdict === 'take') ack({ id, duplicate })
  }

  private takeResult(result: ReceivedResult, ack: Ack): void {
    this.results.push(result)
    const verdict = this.judgeResult(result)
    if (typeof verdict === 'object') ack(verdict.answer)
    else if (verdict === 'take') ack({ ok: true })
  }
}

/** As a `Content-Digest` says it. */
export function digestOf(bytes: Buffer): string {
  return `sha-256=:${createHash('sha256').update(bytes).digest('base64')}:`
}

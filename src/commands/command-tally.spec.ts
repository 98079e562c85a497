import { Metrics } from '../metrics/metrics.js'
import type { CommandStatus } from '../model/command.js'
import type { CommandRecord, CommandRecords } from '../storage/sql/command-records.js'
import { answer, begin, lapse, REPLY_WITHIN_MS, send, settle } from './command-life.js'
import { CommandTally } from './command-tally.js'

const T = 1_700_000_000_000
const NEW: CommandRecord = {
  ...begin({ deviceId: 'd', type: 'RESET', params: {}, ttlMs: 86_400_000, createdBy: 'ann' }, T),
  id: 'c',
  revision: 1,
}
const must = (command: CommandRecord | undefined): CommandRecord => {
  if (command === undefined) throw new Error('nothing changed')
  return command
}

type Counts = Array<{ status: CommandStatus; count: number }>

function build(counted: () => Promise<Counts> = async () => []) {
  const metrics = new Metrics()
  const tally = new CommandTally({ countOpen: counted } as unknown as CommandRecords, metrics)
  const read = async (name: string) => {
    const text = await metrics.registry.getSingleMetricAsString(`milepost_${name}`)
    return text.split('\n').filter((line) => !line.startsWith('#') && !line.includes('_bucket'))
  }
  return { tally, read }
}

const openLines = (queued: number, sent: number, accepted: number) => [
  `milepost_commands_open{status="queued"} ${queued}`,
  `milepost_commands_open{status="sent"} ${sent}`,
  `milepost_commands_open{status="accepted"} ${accepted}`,
]

describe('the tally of commands', () => {
  it('counts each state that a command comes into, and how many are open', async () => {
    const { tally, read } = build()
    const sent = must(send(NEW, true, T + 10))
    const accepted = must(answer(sent, { status: 'accepted', result: null, message: null }, 600_000, T + 510))
    tally.count(NEW, undefined)
    expect(await read('commands_open')).toEqual(openLines(1, 0, 0))
    tally.count(sent, NEW)
    tally.count(sent, sent) // sent again, or a late result
    expect(await read('commands_open')).toEqual(openLines(0, 1, 0))
    tally.count(accepted, sent)
    expect(await read('commands_open')).toEqual(openLines(0, 0, 1))
    tally.count(must(lapse(accepted, T + 700_000)), accepted)
    expect(await read('commands_open')).toEqual(openLines(0, 0, 0))
    expect(await read('commands_total')).toEqual(
      ['queued', 'sent', 'accepted', 'failed'].map(
        (status) => `milepost_commands_total{type="RESET",status="${status}"} 1`,
      ),
    )
  })

  it('measures the answers of units, not their silence', async () => {
    const { tally, read } = build()
    const sent = must(send(NEW, true, T + 10))
    const once = must(send(NEW, false, T + 10))
    tally.count(must(settle(sent, { status: 'done', result: null, message: null }, T + 260)), sent)
    tally.count(must(lapse(once, T + 10 + REPLY_WITHIN_MS)), once)
    tally.count(must(lapse(sent, T + 86_400_000)), sent)
    expect(await read('command_answer_seconds')).toEqual([
      'milepost_command_answer_seconds_sum{type="RESET"} 0.25',
      'milepost_command_answer_seconds_count{type="RESET"} 1',
    ])
  })

  it('takes over what the store counts, unless something changed meanwhile', async () => {
    const counted: Counts = [
      { status: 'queued', count: 7 },
      { status: 'accepted', count: 2 },
    ]
    let duringCount = () => {}
    const { tally, read } = build(async () => {
      duringCount()
      return counted
    })
    await tally.recount()
    expect(await read('commands_open')).toEqual(openLines(7, 0, 2))
    duringCount = () => tally.count(NEW, undefined)
    await tally.recount()
    expect(await read('commands_open')).toEqual(openLines(8, 0, 2))
  })
})

import type { FleetSummary } from './fleet.js'
import { sumOf, type Tally } from './unit/tally.js'

const format = (value: number) => value.toLocaleString('en-GB')

/** Where a running fleet stands, in one line; why, while no truck is connected. */
export function statusLine({ connected, pending, tally, total, trucks }: FleetSummary): string {
  const of = Number.isFinite(total) ? ` of ${format(total)}` : ''
  const why = connected === 0 && tally.failedAttempts.size > 0 ? ` (${codesOf(tally.failedAttempts)})` : ''
  return `${format(tally.settled)}${of} settled, ${format(pending)} pending, ${connected} of ${trucks} trucks connected${why}`
}

/** What a fleet did, for a person, some lines. */
export function summaryText({
  isSettled,
  pending,
  pendingDuties,
  seconds,
  shutOut,
  tally,
  total,
  trucks,
}: FleetSummary): string {
  const open = Number.isFinite(total) ? total - tally.settled : pending
  const lines = [
    `trucks: ${format(trucks)}, seconds: ${seconds.toFixed(1)}`,
    `sent: ${format(tally.sent)} records in ${format(tally.events)} events, ${format(tally.resent)} of them again`,
    `settled: ${format(tally.accepted)} accepted, ${format(tally.duplicates)} duplicates, ${format(tally.rejectedRecords)} rejected`,
    ...codesLine('rejected', tally.rejected),
    ...dutyLines(tally),
    `reconnects: ${format(tally.reconnects)}, unanswered events: ${format(tally.unanswered)}, acks dropped: ${format(tally.droppedAcks)}`,
    ...codesLine('events refused', tally.refusals),
    ...codesLine('links closed by the server', tally.closings),
    ...codesLine('logins and connects that failed', tally.failedAttempts),
    ...(shutOut.length === 0 ? [] : [`trucks not let in: ${format(shutOut.length)}`]),
    isSettled ? 'everything is settled' : `not settled: ${format(open)} records${besides(pendingDuties)}`,
  ]
  return lines.join('\n')
}

/** Nothing of what did not happen. */
function dutyLines(tally: Tally): string[] {
  const { alarms, alarmsAcked, alarmsSent, alarmDuplicates, clipsUploaded, commands, commandsRepeated } = tally
  const again = commandsRepeated === 0 ? '' : `, asked again ${format(commandsRepeated)} times`
  return [
    ...(alarms === 0
      ? []
      : [
          `alarms: ${format(alarms)}, sent ${format(alarmsSent)} times, ${format(alarmsAcked)} acknowledged, ${format(alarmDuplicates)} duplicates`,
        ]),
    ...codesLine('alarms rejected', tally.alarmsRejected),
    ...(clipsUploaded === 0 ? [] : [`clips uploaded: ${format(clipsUploaded)}`]),
    ...codesLine('clips not uploaded', tally.clipsFailed),
    ...(commands + sumOf(tally.commandsObeyed) === 0
      ? []
      : [`commands: ${format(commands)}, obeyed ${codesOf(tally.commandsObeyed) || 'none'}${again}`]),
  ]
}

function besides(duties: number): string {
  return duties === 0 ? '' : `, ${format(duties)} alarms, clips or commands`
}

function codesLine(title: string, counts: ReadonlyMap<string, number>): string[] {
  return counts.size === 0 ? [] : [`${title}: ${codesOf(counts)}`]
}

function codesOf(counts: ReadonlyMap<string, number>): string {
  const byCode = [...counts].sort(([a], [b]) => (a < b ? -1 : 1))
  return byCode.map(([code, number]) => `${code} ${format(number)}`).join(', ')
}

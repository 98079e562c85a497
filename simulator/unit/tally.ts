/** What one unit, or a whole fleet, has done so far; records are counted once per record, repeats included. */
export class Tally {
  /** Records put into the outbox, those found in a journal included. */
  recorded = 0
  /** Events sent, each with one or more records. */
  events = 0
  /** Records sent, each time they were sent. */
  sent = 0
  /** Records sent a second time or more. */
  resent = 0
  accepted = 0
  duplicates = 0
  /** Records that the server will never store, by code. */
  readonly rejected = new Map<string, number>()
  /** Events without an answer: no ack in time, or the link ended first. */
  unanswered = 0
  /** Acks that were ignored on purpose. */
  droppedAcks = 0
  /** Events that were refused as a whole, by code. */
  readonly refusals = new Map<string, number>()
  /** Links opened, but for the first. */
  reconnects = 0
  /** Attempts to log in or connect that failed, by code. */
  readonly failedAttempts = new Map<string, number>()
  /** Alarms raised, those found on disk included. */
  alarms = 0
  /** Alarms sent, each time they were sent. */
  alarmsSent = 0
  /** Alarms that the server has. */
  alarmsAcked = 0
  /** Acks that said the server had the alarm before. */
  alarmDuplicates = 0
  /** Alarms that the server will never store, by code. */
  readonly alarmsRejected = new Map<string, number>()
  clipsUploaded = 0
  /** Uploads that have to be tried again. */
  uploadsRepeated = 0
  /** Clips that the server will never have, by code. */
  readonly clipsFailed = new Map<string, number>()
  /** Commands that came, each once. */
  commands = 0
  /** Times that a known command came again. */
  commandsRepeated = 0
  /** Commands whose work was done or begun, by type; each once. */
  readonly commandsObeyed = new Map<string, number>()
  /** Ends of commands that were told by an event of their own and acknowledged. */
  resultsTold = 0
  /** Restarts by command. */
  restarts = 0
  /** Ends of links that the server announced, by code. */
  readonly closings = new Map<string, number>()

  get rejectedRecords(): number {
    return sumOf(this.rejected)
  }

  /** Records that the server has answered for, one way or the other. */
  get settled(): number {
    return this.accepted + this.duplicates + this.rejectedRecords
  }
}

const NUMBERS = [
  'recorded',
  'events',
  'sent',
  'resent',
  'accepted',
  'duplicates',
  'unanswered',
  'droppedAcks',
  'reconnects',
  'alarms',
  'alarmsSent',
  'alarmsAcked',
  'alarmDuplicates',
  'clipsUploaded',
  'uploadsRepeated',
  'commands',
  'commandsRepeated',
  'resultsTold',
  'restarts',
] as const
const COUNTS = [
  'rejected',
  'refusals',
  'failedAttempts',
  'closings',
  'alarmsRejected',
  'clipsFailed',
  'commandsObeyed',
] as const

/** One more, or that many more, of a code. */
export function count(counts: Map<string, number>, code: string, more = 1): void {
  counts.set(code, (counts.get(code) ?? 0) + more)
}

/** Several units' tallies as one. */
export function totalOf(tallies: readonly Tally[]): Tally {
  const total = new Tally()
  for (const tally of tallies) {
    for (const name of NUMBERS) total[name] += tally[name]
    for (const name of COUNTS) for (const [code, number] of tally[name]) count(total[name], code, number)
  }
  return total
}

export function sumOf(counts: ReadonlyMap<string, number>): number {
  return [...counts.values()].reduce((sum, number) => sum + number, 0)
}

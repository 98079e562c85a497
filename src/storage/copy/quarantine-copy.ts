import type { DeviceId } from '../../model/device-id.js'
import {
  type QuarantinedRecord,
  QuarantineStore,
  type StoredQuarantinedRecord,
} from '../quarantine/quarantine-store.js'
import { compareBytes } from './compare-bytes.js'
import { Comparison } from './comparison.js'
import { type CopyPart, type CopyProgress, ForeignDataError, type PartExtent, type PartReport } from './copy-part.js'

const PAGE = 500
/** Some 1.6 MB at most. */
const KEPT_AT_ONCE = 200

/** A record and what it is known by: its id is another one in each store. */
interface Known {
  readonly text: string
  readonly record: QuarantinedRecord
}

/** The quarantine, device by device, oldest first; a device has at most some thousand records. */
export class QuarantineCopy implements CopyPart {
  readonly name = 'quarantine'
  readonly unit = 'records'

  constructor(
    private readonly source: QuarantineStore,
    private readonly target: QuarantineStore,
  ) {}

  async look(_progress: CopyProgress): Promise<PartExtent> {
    const inSource = await countByDevice(this.source)
    const inTarget = await countByDevice(this.target)
    for (const id of inTarget.keys()) {
      const [foreign] = (await this.compare(id)).extra
      if (foreign !== undefined) throw new ForeignDataError(wordsOf(foreign, 'not in the source'))
    }
    return { total: sumOf(inSource), present: sumOf(inTarget) }
  }

  async copy(progress: CopyProgress): Promise<void> {
    const devices = await countByDevice(this.source)
    progress.begin('copying quarantine', sumOf(devices), this.unit)
    for (const [id, count] of devices) {
      const { missing } = await this.compare(id)
      for (let at = 0; at < missing.length; at += KEPT_AT_ONCE)
        await this.target.keep(missing.slice(at, at + KEPT_AT_ONCE).map(({ record }) => record))
      progress.advance(count)
    }
    progress.end()
  }

  async verify(progress: CopyProgress): Promise<PartReport> {
    const comparison = new Comparison()
    const counts = [await countByDevice(this.source), await countByDevice(this.target)]
    const ids = new Set(counts.flatMap((count) => [...count.keys()]))
    progress.begin('comparing quarantine', ids.size, 'devices')
    for (const id of [...ids].sort(compareBytes)) {
      const compared = await this.compare(id)
      for (const { text } of compared.source) comparison.source.take(text)
      for (const { text } of compared.target) comparison.target.take(text)
      for (const one of compared.missing) comparison.differences.add(wordsOf(one, 'not in the target'))
      for (const one of compared.extra) comparison.differences.add(wordsOf(one, 'not in the source'))
      progress.advance(1)
    }
    progress.end()
    return comparison.report(this.name, this.unit)
  }

  private async compare(deviceId: DeviceId) {
    const [source, target] = await Promise.all([
      listOfDevice(this.source, deviceId),
      listOfDevice(this.target, deviceId),
    ])
    return { source, target, missing: without(source, target), extra: without(target, source) }
  }
}

async function countByDevice(store: QuarantineStore): Promise<Map<DeviceId, number>> {
  const counts = new Map<DeviceId, number>()
  for await (const page of pagesOf(store))
    for (const { deviceId } of page) counts.set(deviceId, (counts.get(deviceId) ?? 0) + 1)
  return counts
}

/** Oldest first; of one moment in the order of their contents, since ids do not tell. */
async function listOfDevice(store: QuarantineStore, deviceId: DeviceId): Promise<Known[]> {
  const known: Known[] = []
  for await (const page of pagesOf(store, [deviceId])) {
    for (const { id: _, ...record } of page) {
      const { ingress, code, receivedAtMs, raw } = record
      known.push({ record, text: JSON.stringify([deviceId, receivedAtMs, ingress, code, raw]) })
    }
  }
  return known.sort((a, b) => a.record.receivedAtMs - b.record.receivedAtMs || compareBytes(a.text, b.text))
}

async function* pagesOf(
  store: QuarantineStore,
  deviceIds?: readonly DeviceId[],
): AsyncGenerator<StoredQuarantinedRecord[]> {
  for (let before: StoredQuarantinedRecord | undefined; ; ) {
    const page = await store.list({ deviceIds, before, limit: PAGE })
    before = page.at(-1)
    if (before === undefined) return
    yield page
    if (page.length < PAGE) return
  }
}

/** Those that the others lack; of what is there several times, as many as are lacking. */
function without(all: readonly Known[], others: readonly Known[]): Known[] {
  const left = new Map<string, number>()
  for (const { text } of others) left.set(text, (left.get(text) ?? 0) + 1)
  return all.filter(({ text }) => {
    const count = left.get(text) ?? 0
    if (count > 0) left.set(text, count - 1)
    return count === 0
  })
}

function sumOf(counts: ReadonlyMap<DeviceId, number>): number {
  return [...counts.values()].reduce((sum, count) => sum + count, 0)
}

function wordsOf({ record }: Known, what: string): string {
  const at = new Date(record.receivedAtMs).toISOString()
  return `quarantine of the device ${record.deviceId}, ${record.code} received at ${at}: ${what}`
}

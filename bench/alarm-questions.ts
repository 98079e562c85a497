import type { BoundingBox } from '../src/model/position.js'
import type { AlarmFilter } from '../src/storage/sql/alarm-records.js'
import { SEED_END_MS, SEED_USERS, seedDeviceId, seedDeviceName } from './seed-rows.js'

const DAY_MS = 86_400_000

const place = (longitude: number, latitude: number, degrees: number): BoundingBox => ({
  minLongitude: longitude,
  minLatitude: latitude,
  maxLongitude: longitude + degrees,
  maxLatitude: latitude + degrees,
})

export type Ask = (call: number) => AlarmFilter

/** What is asked of the list; what can vary does so from call to call, so that not one page of the file is read all the time. */
export const ASKED: Readonly<Record<string, Ask>> = {
  'no filter': () => ({}),
  'a device': (n) => ({ deviceIds: [seedDeviceId(n * 31)] }),
  'the noisiest device': () => ({ deviceIds: [seedDeviceId(0)] }),
  '50 devices': (n) => ({ deviceIds: Array.from({ length: 50 }, (_, i) => seedDeviceId(n + i * 39)) }),
  'a device, type and status': (n) => ({ deviceIds: [seedDeviceId(n)], types: ['SOS'], statuses: ['resolved'] }),
  'a common type': () => ({ types: ['OVERSPEED'] }),
  'a rare type': () => ({ types: ['JAMMING'] }),
  'eight types': () => ({
    types: ['CRASH', 'SOS', 'TOWING', 'JAMMING', 'TAMPER', 'POWER_CUT', 'HARD_BRAKE', 'OVERSPEED'],
  }),
  'status open': () => ({ statuses: ['open'] }),
  'status resolved': () => ({ statuses: ['resolved'] }),
  'two statuses': () => ({ statuses: ['open', 'acknowledged'] }),
  'a rare type that is open': () => ({ types: ['CRASH'], statuses: ['open'] }),
  'an assignee of many': () => ({ assignees: SEED_USERS.slice(0, 1) }),
  'an assignee of few': () => ({ assignees: SEED_USERS.slice(-1) }),
  'an assignee, rare type': (n) => ({ assignees: [SEED_USERS[n % 12] ?? ''], types: ['CRASH'] }),
  'an assignee, common type, video': (n) => ({
    assignees: [SEED_USERS[n % 12] ?? ''],
    types: ['OVERSPEED'],
    hasVideo: true,
  }),
  'with video': () => ({ hasVideo: true }),
  'without video': () => ({ hasVideo: false }),
  'rare type with video': () => ({ types: ['SOS'], hasVideo: true }),
  'a day': (n) => ({ fromMs: SEED_END_MS - (n + 1) * DAY_MS, toMs: SEED_END_MS - n * DAY_MS }),
  'a day, type, status and video': (n) => ({
    fromMs: SEED_END_MS - (n + 1) * DAY_MS,
    toMs: SEED_END_MS - n * DAY_MS,
    types: ['HARD_BRAKE'],
    statuses: ['resolved'],
    hasVideo: true,
  }),
  'a time without alarms': () => ({ fromMs: 0, toMs: DAY_MS }),
  'a box of a country': () => ({ box: place(6, 47, 9) }),
  'a box of a city': (n) => ({ box: place(7 + (n % 6), 48 + (n % 5), 0.25) }),
  'a box of a street': (n) => ({ box: place(7 + n / 10, 50, 0.01) }),
  'an empty box beside all': () => ({ box: place(20, 47, 7) }),
  'a city box, open': (n) => ({ box: place(7 + (n % 6), 48 + (n % 5), 0.25), statuses: ['open'] }),
  'a city box, common type': (n) => ({ box: place(7 + (n % 6), 48 + (n % 5), 0.25), types: ['OVERSPEED'] }),
  'a country box, rare type': () => ({ box: place(6, 47, 9), types: ['CRASH'] }),
  'a city box, a day': (n) => ({
    box: place(8, 50, 0.25),
    fromMs: SEED_END_MS - (n + 1) * DAY_MS,
    toMs: SEED_END_MS - n * DAY_MS,
  }),
  'text of all with files': () => ({ text: 'mp4' }),
  'text of all devices': () => ({ text: 'truck' }),
  'text of an eighth of the devices': () => ({ text: 'hamburg' }),
  'text of one device': (n) => ({ text: seedDeviceName(n * 17 + 100) }),
  'text of one id': (n) => ({ text: seedDeviceId(n * 17) }),
  'text of a note, common': () => ({ text: 'pothole' }),
  'text of a note, of one month': () => ({ text: 'hailstorm' }),
  'text of a note, rare': () => ({ text: 'aquaplan' }),
  'text of one file': () => ({ text: '20261103-1200' }),
  'text of none': () => ({ text: 'zeppelin' }),
  'three words': () => ({ text: 'truck berlin pothole' }),
  'two words that never meet': () => ({ text: 'hamburg berlin' }),
  'text and open': () => ({ text: 'hamburg', statuses: ['open'] }),
  'rare text and open': () => ({ text: 'aquaplan', statuses: ['open'] }),
  'text and rare type': () => ({ text: 'mp4', types: ['CRASH'] }),
  'text and box': () => ({ text: 'pothole', box: place(8, 50, 0.5) }),
}

/** What is counted, by each grouping. */
export const SUMMED: Readonly<Record<string, AlarmFilter>> = {
  all: {},
  'status open': { statuses: ['open'] },
  'with video': { hasVideo: true },
  'an assignee': { assignees: SEED_USERS.slice(0, 1) },
  'a week': { fromMs: SEED_END_MS - 7 * DAY_MS },
  'a box of a country': { box: place(6, 47, 9) },
  'a box of a city': { box: place(8, 50, 0.25) },
  'text of all with files': { text: 'mp4' },
  'text of all devices': { text: 'truck' },
  'text of an eighth of the devices': { text: 'hamburg' },
  'text of one file': { text: '20261103-1200' },
}

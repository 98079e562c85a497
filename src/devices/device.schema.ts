import { z } from 'zod'
import { MAX_DEVICE_SECRET_LENGTH, MIN_DEVICE_SECRET_LENGTH } from '../identity/device-secrets.js'
import { positionOut } from '../web/position-json.js'
import { bboxIn, booleanIn, cursorIn, limitIn, pageOut, severalIn, timeOut } from '../web/schemas.js'

const EXAMPLE_IMEI = '350123451234567'
const MAX_LABEL_LENGTH = 200
const MAX_TEXT_LENGTH = 200
/** What no person can read: control characters but tab and line ends, and halves of surrogate pairs. */
const UNREADABLE = /[^\P{Cc}\t\n\r]|\p{Cs}/u

const readable = () => z.string().refine((text) => !UNREADABLE.test(text), 'must hold no control characters')

const label = (what: string) =>
  readable().trim().max(MAX_LABEL_LENGTH).nullable().optional().describe(`${what}; null or blank: none`)

const labels = {
  name: label('What people call it'),
  plate: label('Number plate'),
  brand: label('Make of the unit'),
  model: label('Model of the unit'),
}

const secret = readable()
  .min(MIN_DEVICE_SECRET_LENGTH)
  .max(MAX_DEVICE_SECRET_LENGTH)
  .optional()
  .describe('Kept as a hash only. A device without an IMEI always has one: none given, one is generated')

export const newDeviceIn = z
  .strictObject({
    deviceId: z.string().max(200).describe('IMEI of 15 digits, or a name of 1..64 of A-Z a-z 0-9 . _ -'),
    ...labels,
    secret,
  })
  .meta({
    id: 'NewDevice',
    examples: [{ deviceId: EXAMPLE_IMEI, name: 'Truck 7', plate: 'M-MP 7', brand: 'Teltonika' }],
  })

export const deviceChangesIn = z
  .strictObject({
    ...labels,
    status: z.enum(['active', 'disabled']).optional().describe('disabled: its links end and its tokens are void'),
    trackerAllowed: z
      .boolean()
      .optional()
      .describe('Lets a device that has a secret speak on transports that cannot present one'),
    trackerSack: z.boolean().optional().describe("Queclink's SACK is on"),
    commandPassword: readable()
      .min(1)
      .max(MAX_LABEL_LENGTH)
      .nullable()
      .optional()
      .describe('For trackers whose commands need one; write-only, null: none'),
  })
  .meta({ id: 'DeviceChanges', examples: [{ name: 'Truck 7', status: 'disabled' }] })

export const deviceOut = z
  .object({
    deviceId: z.string(),
    kind: z.enum(['imei', 'named']),
    name: z.string().nullable(),
    plate: z.string().nullable(),
    brand: z.string().nullable(),
    model: z.string().nullable(),
    protocol: z.string().nullable().describe('What it was last heard to speak'),
    status: z.enum(['active', 'disabled']),
    authenticated: z.boolean().describe('It has a secret and must present it; false: what it says is only believed'),
    trackerAllowed: z.boolean(),
    contested: z.boolean().describe('More than one unit seems to use this identity'),
    online: z.boolean().describe('An open link, or heard within 120 s over HTTP or UDP'),
    transport: z.enum(['socket', 'http', 'mqtt', 'tcp', 'udp']).nullable(),
    lastSeenAt: timeOut().nullable(),
    position: positionOut.nullable().describe("The latest with a fix, by the unit's own clock"),
    createdAt: timeOut(),
  })
  .meta({
    id: 'Device',
    examples: [
      {
        deviceId: EXAMPLE_IMEI,
        kind: 'imei',
        name: 'Truck 7',
        plate: 'M-MP 7',
        brand: 'Teltonika',
        model: 'FMC130',
        protocol: null,
        status: 'active',
        authenticated: false,
        trackerAllowed: false,
        contested: false,
        online: true,
        transport: 'socket',
        lastSeenAt: '2026-11-22T07:30:01.250Z',
        position: null,
        createdAt: '2026-11-01T08:00:00.000Z',
      },
    ],
  })

export const newDeviceOut = deviceOut
  .extend({ secret: z.string().nullable().describe('The generated secret, shown this once; null: none was generated') })
  .meta({ id: 'CreatedDevice', examples: [] })

export const secretOut = z
  .object({ secret: z.string().describe('The new secret, shown this once') })
  .meta({ id: 'DeviceSecret', examples: [{ secret: 'Zk3v0m9mJ8yqQ1sX2b7TnW5rP4cL6dHf' }] })

export const devicePageOut = pageOut(deviceOut).meta({ id: 'DevicePage' })

export const deviceQueryIn = z.strictObject({
  text: z
    .string()
    .trim()
    .max(MAX_TEXT_LENGTH)
    .optional()
    .describe('Beginnings of words in id, name, plate, brand and model, in any case; all words must match'),
  online: booleanIn().describe('true: only those online; false: only those that are not'),
  status: severalIn(z.enum(['active', 'disabled'])),
  kind: severalIn(z.enum(['imei', 'named'])),
  bbox: bboxIn(),
  limit: limitIn(),
  cursor: cursorIn(),
})

export const deletionQueryIn = z.strictObject({
  erase: booleanIn().describe('true: also removes its positions and refused records, for good'),
})

/** Codes of lines that an import refuses. */
export const IMPORT_CODES = ['invalid_csv', 'invalid_imei', 'invalid_field', 'secret_required'] as const

export const importOut = z
  .object({
    created: z.int(),
    updated: z.int().describe('Lines whose device was there, whether the line changed it or not'),
    rejected: z.array(z.object({ line: z.int(), code: z.enum(IMPORT_CODES), message: z.string() })),
  })
  .meta({
    id: 'ImportResult',
    examples: [
      {
        created: 2,
        updated: 1,
        rejected: [{ line: 4, code: 'invalid_imei', message: 'deviceId: is not a valid device id' }],
      },
    ],
  })

export type NewDeviceIn = z.output<typeof newDeviceIn>
export type DeviceChangesIn = z.output<typeof deviceChangesIn>
export type DeviceQueryIn = z.output<typeof deviceQueryIn>
export type DeletionQueryIn = z.output<typeof deletionQueryIn>
export type DeviceJson = z.output<typeof deviceOut>
export type NewDeviceJson = z.output<typeof newDeviceOut>
export type ImportResult = z.output<typeof importOut>
export type ImportCode = (typeof IMPORT_CODES)[number]

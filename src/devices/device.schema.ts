import { z } from 'zod'
import { MAX_DEVICE_SECRET_LENGTH, MIN_DEVICE_SECRET_LENGTH } from '../identity/device-secrets.js'
import { DEVICE_ID_FORM, NEW_DEVICE_ID_PATTERN } from '../web/device-id-param.js'
import { POSITION_EXAMPLE, positionOut } from '../web/position-json.js'
import {
  bboxIn,
  booleanIn,
  cursorIn,
  limitIn,
  pageOut,
  readableIn,
  severalIn,
  textIn,
  timeOut,
} from '../web/schemas.js'

const EXAMPLE_IMEI = '350123451234567'
const MAX_LABEL_LENGTH = 200
const MAX_TEXT_LENGTH = 200

const EXAMPLE_SECRET = 'Zk3v0m9mJ8yqQ1sX2b7TnW5rP4cL6dHf'
const EXAMPLE = {
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
  position: POSITION_EXAMPLE,
  createdAt: '2026-11-01T08:00:00.000Z',
}

const label = (what: string) =>
  readableIn(0, MAX_LABEL_LENGTH).trim().nullable().optional().describe(`${what}; null or blank: none`)

const labels = {
  name: label('What people call it'),
  plate: label('Number plate'),
  brand: label('Make of the unit'),
  model: label('Model of the unit'),
}

const secret = readableIn(MIN_DEVICE_SECRET_LENGTH, MAX_DEVICE_SECRET_LENGTH)
  .optional()
  .describe('Kept as a hash only. A device without an IMEI always has one: none given, one is generated')

export const newDeviceIn = z
  .strictObject({
    // Looked at by the registry, since the rule depends on IMEI_CHECK and its refusal has a code of its own.
    deviceId: z.string().meta({
      description:
        'IMEI of 15 digits with a valid check digit, or for a box that has none a name that does not look like one',
      pattern: NEW_DEVICE_ID_PATTERN,
    }),
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
    commandPassword: readableIn(1, MAX_LABEL_LENGTH)
      .nullable()
      .optional()
      .describe('For trackers whose commands need one; write-only, null: none'),
  })
  .meta({ id: 'DeviceChanges', examples: [{ name: 'Truck 7', plate: 'M-MP 7', status: 'active' }] })

export const deviceOut = z
  .object({
    deviceId: z.string().meta({ pattern: `^${DEVICE_ID_FORM}$` }),
    kind: z.enum(['imei', 'named']),
    name: z.string().nullable(),
    plate: z.string().nullable(),
    brand: z.string().nullable(),
    model: z.string().nullable(),
    protocol: z
      .string()
      .nullable()
      .describe('Of trackers, what it was last heard to speak; null: it speaks JSON, or was never heard'),
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
    examples: [EXAMPLE],
  })

export const newDeviceOut = deviceOut
  .extend({ secret: z.string().nullable().describe('The generated secret, shown this once; null: none was generated') })
  .meta({
    id: 'CreatedDevice',
    examples: [
      {
        ...EXAMPLE,
        deviceId: 'cold-box-7',
        kind: 'named',
        authenticated: true,
        online: false,
        transport: null,
        lastSeenAt: null,
        position: null,
        secret: EXAMPLE_SECRET,
      },
    ],
  })

export const secretOut = z
  .object({ secret: z.string().describe('The new secret, shown this once') })
  .meta({ id: 'DeviceSecret', examples: [{ secret: EXAMPLE_SECRET }] })

export const devicePageOut = pageOut(deviceOut).meta({ id: 'DevicePage' })

export const deviceQueryIn = z.strictObject({
  text: textIn(0, MAX_TEXT_LENGTH)
    .trim()
    .optional()
    .describe(
      'Beginnings of words in id, name, plate, brand and model, in any case; all words must match. Blank: no filter. A text without letters and digits has no words and finds nothing',
    ),
  online: booleanIn().describe('true: only those online; false: only those that are not'),
  status: severalIn(z.enum(['active', 'disabled'])).describe(
    'Those with one of these; several: repeated, or by commas',
  ),
  kind: severalIn(z.enum(['imei', 'named'])).describe('imei: cellular units; named: other boxes'),
  bbox: bboxIn(),
  limit: limitIn(),
  cursor: cursorIn(),
})

export const deletionQueryIn = z.strictObject({
  erase: booleanIn().describe(
    'true: also removes all that it sent and was told (positions, alarms, videos, uploads, commands, refused records), for good',
  ),
})

/** Codes of lines that an import refuses. */
export const IMPORT_CODES = ['invalid_csv', 'invalid_imei', 'invalid_field', 'secret_required', 'overloaded'] as const

export const importOut = z
  .object({
    created: z.int().min(0),
    updated: z.int().min(0).describe('Lines whose device was there, whether the line changed it or not'),
    rejected: z.array(z.object({ line: z.int().min(1), code: z.enum(IMPORT_CODES), message: z.string() })),
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

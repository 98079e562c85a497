import { z } from 'zod'
import { SCREENSHOTS, VIDEO_STATUSES } from '../model/video.js'
import { DEVICE_ID_FORM } from '../web/device-id-param.js'
import {
  cursorIn,
  isForwardRange,
  limitIn,
  pageOut,
  severalIn,
  timeIn,
  timeOut,
  UNIT_TIME_PATTERN,
  wordIn,
} from '../web/schemas.js'

const ID_FORM = '[A-Za-z0-9_-]{1,64}'
const MAX_NAMES = 100
const EXAMPLE_ID = '019a5f1d3a2c00000112ab34cd56ef78'
const EXAMPLE_PATH = `/api/v1/videos/${EXAMPLE_ID}`

/** A video's id in a path. What cannot be one is not found. */
export const videoIdParam = z
  .string()
  .regex(new RegExp(`^${ID_FORM}$`))
  .meta({ description: 'Id of a video', examples: [EXAMPLE_ID] })

/** Number of a screenshot in a path. What cannot be one is not found. */
export const screenshotParam = z
  .enum(Array.from({ length: SCREENSHOTS }, (_, index) => String(index + 1)))
  .transform(Number)
  .meta({ description: `1 to ${SCREENSHOTS}, in order of time`, example: '1' })

const linksOut = z
  .object({
    content: z.string().describe('The file itself'),
    thumbnail: z.string().nullable().describe('320 px wide JPEG; null: not made'),
    screenshots: z.array(z.string()).describe('JPEG pictures in order of time; none until they are made'),
  })
  .meta({ id: 'VideoLinks' })

export const videoOut = z
  .object({
    id: z.string(),
    deviceId: z.string(),
    fileName: z.string().describe('As the unit gave it, in NFC'),
    bytes: z.int().min(0),
    sha256: z.string().describe('Of the bytes, lower-case hexadecimal'),
    contentType: z.string().describe('What the bytes are, by themselves'),
    status: z
      .enum(VIDEO_STATUSES)
      .describe('processing: the background worker has it before it; ready; failed: see failureReason'),
    failureReason: z
      .string()
      .nullable()
      .describe('Such as `media_tool_missing` or `not_decodable`; the file itself stays fetchable. null unless failed'),
    // No `date-time` of RFC 3339: a unit whose clock is broken still has its video taken.
    recordedAt: z
      .string()
      .meta({ pattern: UNIT_TIME_PATTERN })
      .nullable()
      .describe(
        "The unit's clock, ISO 8601 UTC with milliseconds; null: it did not say. Beyond the years 0 to 9999, where only a broken clock is, the year has a sign and six digits",
      ),
    uploadedAt: timeOut(),
    durationS: z.number().min(0).nullable().describe('Seconds; null: a picture, or not read'),
    width: z.int().min(1).nullable().describe('Pixels'),
    height: z.int().min(1).nullable().describe('Pixels'),
    codec: z.string().nullable().describe('Such as `h264`'),
    keep: z.boolean().describe('Protected from `VIDEO_RETENTION_DAYS`'),
    alarmIds: z.array(z.string()).describe('Alarms that name this file, newest first'),
    links: linksOut.describe('Paths of this API'),
  })
  .meta({
    id: 'Video',
    examples: [
      {
        id: EXAMPLE_ID,
        deviceId: '350123451234567',
        fileName: 'crash-0712.mp4',
        bytes: 4_194_304,
        sha256: 'b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9',
        contentType: 'video/mp4',
        status: 'ready',
        failureReason: null,
        recordedAt: '2026-11-22T07:29:50.000Z',
        uploadedAt: '2026-11-22T07:31:12.480Z',
        durationS: 20.04,
        width: 1280,
        height: 720,
        codec: 'h264',
        keep: false,
        alarmIds: ['019a5f1c8b9000000212ab34cd56ef78'],
        links: {
          content: `${EXAMPLE_PATH}/content`,
          thumbnail: `${EXAMPLE_PATH}/thumbnail`,
          screenshots: [1, 2, 3].map((number) => `${EXAMPLE_PATH}/screenshots/${number}`),
        },
      },
    ],
  })

export const videoPageOut = pageOut(videoOut).meta({ id: 'VideoPage' })

export const videoQueryIn = z
  .strictObject({
    deviceId: severalIn(wordIn(DEVICE_ID_FORM)).describe('Ids of devices'),
    fileName: z
      .preprocess(
        (value) => (value === undefined ? undefined : [value].flat().flatMap(namesIn)),
        z.array(z.string()).max(MAX_NAMES, `at most ${MAX_NAMES} names`).optional(),
      )
      .describe('Whole names of files; a name that holds a comma is found as well'),
    from: timeIn('Inclusive, by `recordedAt`, else `uploadedAt`').optional(),
    to: timeIn('Exclusive, by `recordedAt`, else `uploadedAt`').optional(),
    alarmId: severalIn(wordIn(ID_FORM)).describe('Ids of alarms that name the file'),
    status: severalIn(z.enum(VIDEO_STATUSES)).describe('Those with one of these'),
    limit: limitIn(),
    cursor: cursorIn(),
  })
  .refine(isForwardRange, { path: ['from'], message: 'must not be after to' })

/** A comma parts names and may stand in one: both readings are looked for. Names are stored in NFC. */
function namesIn(value: unknown): unknown[] {
  if (typeof value !== 'string') return [value]
  const name = value.normalize('NFC')
  return name.includes(',') ? [name, ...name.split(',')] : [name]
}

const link = z.string().optional().describe('Token of a signed link, in place of the `Authorization` header')

export const pictureQueryIn = z.strictObject({ link })

export const contentQueryIn = z.strictObject({
  link,
  download: z.enum(['0', '1']).optional().describe('1: as an attachment, to be saved and not shown'),
})

export const videoChangesIn = z
  .strictObject({ keep: z.boolean().describe('true: retention leaves it alone; false: it no longer does') })
  .meta({ id: 'VideoChanges', examples: [{ keep: true }] })

export const signedLinksOut = z
  .object({
    content: z.string().describe('URL of the file; takes `download=1` too'),
    thumbnail: z.string().nullable().describe('null: not made'),
    screenshots: z.array(z.string()),
    expiresAt: timeOut().describe('From then on they are answered `token_expired`; ask for new ones'),
  })
  .meta({
    id: 'SignedVideoLinks',
    examples: [
      {
        content: `${EXAMPLE_PATH}/content?link=eyJhbGciOiJFUzI1NiJ9.e30.c2lnbmF0dXJl`,
        thumbnail: `${EXAMPLE_PATH}/thumbnail?link=eyJhbGciOiJFUzI1NiJ9.e30.c2lnbmF0dXJl`,
        screenshots: [`${EXAMPLE_PATH}/screenshots/1?link=eyJhbGciOiJFUzI1NiJ9.e30.c2lnbmF0dXJl`],
        expiresAt: '2026-11-22T07:41:12.480Z',
      },
    ],
  })

export type VideoQueryIn = z.output<typeof videoQueryIn>
export type ContentQueryIn = z.output<typeof contentQueryIn>
export type VideoChangesIn = z.output<typeof videoChangesIn>
export type VideoJson = z.output<typeof videoOut>
export type SignedLinksJson = z.output<typeof signedLinksOut>

import { z } from 'zod'
import { parseFileName } from '../../model/file-name.js'
import { timeInBody, timeOut } from '../../web/schemas.js'

const SHA_256 = /^[0-9a-fA-F]{64}$/
/** Over this the file goes up in parts of this size. */
const PART_BYTES = 67_108_864

/** As much as the documentation can say of names; what exactly is one: `parseFileName`. */
export const FILE_NAME_FORM = {
  minLength: 1,
  maxLength: 200,
  pattern: '^[^/\\\\\\u0000-\\u001f\\u007f-\\u009f]*$',
}

/** Body of `POST /videos/direct`. */
export const directUploadIn = z
  .object({
    fileName: z
      .string()
      .refine((name) => parseFileName(name) !== undefined, {
        message: 'must be one path segment of 1 to 200 bytes',
        params: { code: 'invalid_file_name' },
      })
      .meta({ ...FILE_NAME_FORM, description: 'One path segment of at most 200 bytes of UTF-8' }),
    bytes: z.int().min(1).describe('Size of the file'),
    sha256: z.string().regex(SHA_256, 'must be 64 hexadecimal digits').meta({ pattern: SHA_256.source }),
    recordedAt: timeInBody().nullish(),
    partSha256: z
      .array(z.string().regex(SHA_256, 'must be 64 hexadecimal digits').meta({ pattern: SHA_256.source }))
      .max(10_000)
      .optional()
      .describe('Of each part of 64 MiB, when the file has more than one'),
  })
  .refine(({ bytes, partSha256 }) => bytes <= PART_BYTES || partSha256?.length === Math.ceil(bytes / PART_BYTES), {
    path: ['partSha256'],
    message: 'must have one digest for each part of 64 MiB',
  })
  .meta({
    id: 'DirectUpload',
    example: {
      fileName: 'crash-0712.mp4',
      bytes: 4_194_304,
      sha256: 'b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9',
      recordedAt: '2026-11-22T07:29:50.000Z',
    },
  })

const requestOut = {
  method: z.literal('PUT'),
  url: z.string(),
  headers: z.record(z.string(), z.string()).describe('To be sent as they are: they are signed'),
}

/** Answer of `POST /videos/direct`. */
export const directUploadOut = z
  .union([
    z.object({ id: z.string(), ...requestOut, expiresAt: timeOut() }),
    z.object({
      id: z.string(),
      parts: z.array(z.object({ number: z.int().min(1), ...requestOut, bytes: z.int().min(1) })),
      expiresAt: timeOut(),
    }),
  ])
  .meta({ id: 'DirectUploadTarget' })

/** Body of `POST /videos/{id}/complete`. */
export const directCompletionIn = z
  .object({
    etags: z.array(z.string().min(1).max(200)).max(10_000).optional().describe('Of the parts, in their order'),
  })
  .meta({ id: 'DirectCompletion', example: { etags: ['"9b2cf535f27731c974343645a3985328"'] } })

export type DirectUploadIn = z.output<typeof directUploadIn>
export type DirectCompletionIn = z.output<typeof directCompletionIn>

import { z } from 'zod'
import { parseFileName } from '../../model/file-name.js'
import { timeInBody, timeOut } from '../../web/schemas.js'

const SHA_256 = /^[0-9a-fA-F]{64}$/
const MAX_PARTS = 10_000

const sha256In = () =>
  z
    .string()
    .regex(SHA_256, 'must be 64 hexadecimal digits')
    .transform((digest) => digest.toLowerCase())
    .meta({ pattern: SHA_256.source })

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
      .transform((name, context) => {
        const fileName = parseFileName(name)
        if (fileName !== undefined) return fileName
        context.addIssue({
          code: 'custom',
          message: 'must be one path segment of 1 to 200 bytes',
          params: { code: 'invalid_file_name' },
        })
        return z.NEVER
      })
      .meta({ ...FILE_NAME_FORM, description: 'One path segment of at most 200 bytes of UTF-8' }),
    bytes: z.int().min(1).describe('Size of the file'),
    sha256: sha256In().describe('Of all bytes, hexadecimal'),
    recordedAt: timeInBody().nullish(),
    partSha256: z
      .array(sha256In())
      .max(MAX_PARTS)
      .nullish()
      .describe('Of each part of 64 MiB, hexadecimal, when the file has more than one; not looked at otherwise'),
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
  url: z.string().describe('Of the object store, good without a token'),
  headers: z.record(z.string(), z.string()).describe('To be sent as they are: they are signed'),
}

/** Answer of `POST /videos/direct`. */
export const directUploadOut = z
  .union([
    z.object({ id: z.string(), ...requestOut, expiresAt: timeOut() }),
    z.object({
      id: z.string(),
      parts: z
        .array(z.object({ number: z.int().min(1), ...requestOut, bytes: z.int().min(1).describe('Of this part') }))
        .describe('Of a file over 64 MiB, in the order of its bytes'),
      expiresAt: timeOut().describe('From then on the store refuses them; ask for new ones'),
    }),
  ])
  .meta({
    id: 'DirectUploadTarget',
    examples: [
      {
        id: '6f1c2f0e-4a57-4c5e-9a39-5d2f7b7f2c11',
        method: 'PUT',
        url: 'https://objects.example.com/milepost/uploads/7b1f?X-Amz-Expires=43200&X-Amz-Signature=9f86d081',
        headers: { 'x-amz-checksum-sha256': 'uU0nuZNNPgilLlLX2n2r+sSE7+N6U4DukIj3rOLvzek=' },
        expiresAt: '2026-11-22T19:31:12.480Z',
      },
    ],
  })

/** Body of `POST /videos/{id}/complete`. */
export const directCompletionIn = z
  .object({
    etags: z
      .array(z.string().min(1).max(200))
      .max(MAX_PARTS)
      .nullish()
      .describe('Of the parts, in their order; of a file in one part none is needed'),
  })
  .default({})
  .meta({ id: 'DirectCompletion', example: { etags: ['"9b2cf535f27731c974343645a3985328"'] } })

export type DirectUploadIn = z.output<typeof directUploadIn>
export type DirectCompletionIn = z.output<typeof directCompletionIn>
export type DirectUploadJson = z.output<typeof directUploadOut>

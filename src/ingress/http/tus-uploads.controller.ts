import { Controller, Delete, Head, Options, Param, Patch, Post, Req, Res } from '@nestjs/common'
import { ApiBody, ApiConsumes, ApiHeader, ApiOperation, ApiTags } from '@nestjs/swagger'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { CurrentDeviceId, ForDevices, Public } from '../../identity/access.js'
import { AppError } from '../../model/app-error.js'
import type { DeviceId } from '../../model/device-id.js'
import { Sessions } from '../../sessions/sessions.js'
import { Answers, Refuses, RefusesWith } from '../../web/answers.js'
import { contentTypeOf, StreamedBody } from '../../web/streamed-body.js'
import { requestBodyOf } from './request-body.js'
import { TusUploads } from './tus-uploads.js'
import { TUS_BYTES, TUS_PATH, TUS_VERSION } from './tus-version.js'

/** Methods of one upload, also in the words of those who can only POST. */
const OVERRIDES: readonly string[] = ['DELETE', 'HEAD', 'PATCH']
const ID = /^[A-Za-z0-9-]{1,64}$/
const uploadIdParam = z
  .string()
  .regex(ID)
  .meta({ description: 'Of the upload', examples: ['8f0c1f3e-6f0f-4a57-9a55-0c8b0f6b7d21'] })

const Version = () =>
  ApiHeader({
    name: 'Tus-Resumable',
    required: true,
    description: 'Version of the protocol',
    schema: { type: 'string', enum: [TUS_VERSION], example: TUS_VERSION },
  })
const number = (name: string, description: string, schema: { minimum: number; example?: number }, required = false) =>
  ApiHeader({ name, required, description, schema: { type: 'integer', maximum: Number.MAX_SAFE_INTEGER, ...schema } })

const PAIR = '[^ ,]+(?: [A-Za-z0-9+/]*={0,2})?'
const METADATA = `^(?:${PAIR},)*filename [A-Za-z0-9+/]+={0,2}(?:,${PAIR})*$`

/** tus 1.0 (https://tus.io): uploads that go on where they stopped. */
@ApiTags('videos')
@Controller(TUS_PATH)
export class TusUploadsController {
  constructor(
    private readonly uploads: TusUploads,
    private readonly sessions: Sessions,
  ) {}

  @Options()
  @Public()
  @ApiOperation({
    operationId: 'describeUploads',
    summary: 'What this tus server can do',
    description: 'Version, extensions and the largest size, in headers. Needs no token.',
  })
  @Answers(204, 'Nothing but headers', undefined, ['Tus-Version', 'Tus-Extension', 'Tus-Max-Size'])
  @Refuses()
  describe(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<void> {
    return this.answer(request, reply, '')
  }

  @Post()
  @StreamedBody()
  @ForDevices()
  @ApiOperation({
    operationId: 'createUpload',
    summary: 'Begin a resumable upload',
    description:
      'tus: the address to send bytes to is in `Location`. `Upload-Metadata` names `filename` and may name `recordedAt`. Bytes may come along with `Content-Type: application/offset+octet-stream`; if that is all of them, the answer carries `Video-Id`. What is known to be refused in the end is refused now.',
  })
  @Version()
  @number('Upload-Length', 'Bytes of the file; either this or `Upload-Defer-Length`', {
    minimum: 1,
    example: 4_194_304,
  })
  @ApiHeader({
    name: 'Upload-Defer-Length',
    required: false,
    description: '1: the length comes with a later request',
    schema: { type: 'string', enum: ['1'] },
  })
  @ApiHeader({
    name: 'Upload-Metadata',
    required: true,
    description:
      'Pairs of key and base64 value, by commas: `filename Y3Jhc2gubXA0,recordedAt MjAyNi0xMS0yMlQwNzoyOTo1MFo=`',
    schema: { type: 'string', pattern: METADATA, example: 'filename Y3Jhc2gubXA0' },
  })
  @Answers(201, 'The upload, begun', undefined, ['Location', 'Upload-Expires', 'Upload-Offset', 'Video-Id'])
  @RefusesWith(422, 'file_exists')
  @Refuses(
    'invalid_request',
    'invalid_file_name',
    'unsupported_version',
    'body_too_large',
    'unsupported_media',
    'too_many_requests',
    'disk_full',
  )
  create(
    @Req() request: FastifyRequest,
    @CurrentDeviceId() deviceId: DeviceId,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<void> {
    return this.answer(request, reply, deviceId)
  }

  @Head(':uploadId')
  @ForDevices()
  @ApiOperation({
    operationId: 'getUpload',
    summary: 'Where a resumable upload stands',
    description: 'tus: go on from `Upload-Offset`. With `Video-Id` it is done. Of another device: 404.',
  })
  @Version()
  @Answers(200, 'Nothing but headers', undefined, ['Upload-Offset', 'Upload-Length', 'Upload-Metadata', 'Video-Id'])
  @RefusesWith(422, 'file_exists')
  @Refuses('invalid_request', 'not_found', 'unsupported_version', 'unsupported_media', 'disk_full')
  stand(
    @Param('uploadId', { schema: uploadIdParam }) _id: string,
    @Req() request: FastifyRequest,
    @CurrentDeviceId() deviceId: DeviceId,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<void> {
    return this.answer(request, reply, deviceId)
  }

  @Patch(':uploadId')
  @StreamedBody()
  @ForDevices()
  @ApiOperation({
    operationId: 'continueUpload',
    summary: 'Send bytes of a resumable upload',
    description:
      'tus: `Upload-Offset` in the answer says how many bytes are on disk. The last one carries `Video-Id`: the video is there. Bytes that are no video are refused as soon as that is clear (415), other bytes under a name that exists with the last (422 `file_exists`); both remove the upload.',
  })
  @Version()
  @number('Upload-Offset', 'Where these bytes begin', { minimum: 0, example: 0 }, true)
  @number('Upload-Length', 'If it was deferred', { minimum: 1 })
  @ApiConsumes(TUS_BYTES)
  @ApiBody({ schema: { type: 'string', format: 'binary' }, required: true })
  @Answers(204, 'The bytes are on disk', undefined, ['Upload-Offset', 'Upload-Expires', 'Video-Id'])
  @RefusesWith(422, 'file_exists')
  @Refuses(
    'invalid_request',
    'not_found',
    'offset_conflict',
    'unsupported_version',
    'body_too_large',
    'unsupported_media',
    'unsupported_media_type',
    'too_many_requests',
    'disk_full',
  )
  continue(
    @Param('uploadId', { schema: uploadIdParam }) _id: string,
    @Req() request: FastifyRequest,
    @CurrentDeviceId() deviceId: DeviceId,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<void> {
    return this.answer(request, reply, deviceId)
  }

  @Delete(':uploadId')
  @ForDevices()
  @ApiOperation({
    operationId: 'endUpload',
    summary: 'Give a resumable upload up',
    description: 'tus: its bytes are dropped. A video that it has become stays.',
  })
  @Version()
  @Answers(204, 'It is gone')
  @RefusesWith(422, 'file_exists')
  @Refuses('invalid_request', 'not_found', 'unsupported_version', 'unsupported_media', 'disk_full')
  end(
    @Param('uploadId', { schema: uploadIdParam }) _id: string,
    @Req() request: FastifyRequest,
    @CurrentDeviceId() deviceId: DeviceId,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<void> {
    return this.answer(request, reply, deviceId)
  }

  @Post(':uploadId')
  @StreamedBody()
  @ForDevices()
  @ApiOperation({
    operationId: 'overrideUploadMethod',
    summary: 'Send bytes through proxies that let no PATCH pass',
    description:
      'tus: does what the method in `X-HTTP-Method-Override` does here, with its headers, answers and refusals. Without one: 405.',
  })
  @ApiHeader({
    name: 'X-HTTP-Method-Override',
    required: true,
    description: 'The method that is meant',
    schema: { type: 'string', enum: [...OVERRIDES], example: 'PATCH' },
  })
  @Version()
  @number('Upload-Offset', 'For PATCH: where these bytes begin', { minimum: 0 })
  @number('Upload-Length', 'For PATCH: if it was deferred', { minimum: 0 })
  @ApiConsumes(TUS_BYTES)
  @ApiBody({ schema: { type: 'string', format: 'binary' }, required: false })
  @Answers(200, 'HEAD: nothing but headers', undefined, [
    'Upload-Offset',
    'Upload-Length',
    'Upload-Metadata',
    'Video-Id',
  ])
  @Answers(204, 'PATCH: the bytes are on disk; DELETE: it is gone', undefined, [
    'Upload-Offset',
    'Upload-Expires',
    'Video-Id',
  ])
  @RefusesWith(422, 'file_exists')
  @Refuses(
    'invalid_request',
    'not_found',
    'method_not_allowed',
    'offset_conflict',
    'unsupported_version',
    'body_too_large',
    'unsupported_media',
    'unsupported_media_type',
    'too_many_requests',
    'disk_full',
  )
  async override(
    @Param('uploadId', { schema: uploadIdParam }) _id: string,
    @Req() request: FastifyRequest,
    @CurrentDeviceId() deviceId: DeviceId,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<void> {
    const method = [request.headers['x-http-method-override']].flat()[0]?.trim().toUpperCase()
    if (method === undefined || !OVERRIDES.includes(method)) {
      void reply.header('allow', [...OVERRIDES, 'POST'].join(', '))
      throw new AppError(
        'method_not_allowed',
        `Use ${OVERRIDES.join(', ')} here, or name one in X-HTTP-Method-Override`,
      )
    }
    await this.answer(request, reply, deviceId, method)
  }

  private async answer(
    request: FastifyRequest,
    reply: FastifyReply,
    deviceId: DeviceId,
    method = request.method,
  ): Promise<void> {
    if (deviceId !== '') this.sessions.heardWithoutLink(deviceId, 'http')
    reply.header('tus-version', TUS_VERSION)
    const { status, headers } = await this.uploads.handle({
      method,
      path: request.url.split('?', 1)[0] as string,
      headers: { ...request.headers, 'content-type': contentTypeOf(request) },
      deviceId,
      body: requestBodyOf(request),
      onUpload: ({ videoId }) => {
        if (videoId !== null) reply.header('video-id', videoId)
      },
    })
    reply.status(status).headers(headers)
  }
}

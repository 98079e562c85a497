import { Controller, Param, Post, Put, Req, Res } from '@nestjs/common'
import { ApiBody, ApiConsumes, ApiHeader, ApiOperation, ApiParam, ApiTags } from '@nestjs/swagger'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { CurrentDeviceId, ForDevices } from '../../identity/access.js'
import { AppError } from '../../model/app-error.js'
import type { DeviceId } from '../../model/device-id.js'
import { TIME_PATTERN } from '../../model/time.js'
import { Sessions } from '../../sessions/sessions.js'
import { type SingleUpload, SingleUploads } from '../../videos/single-uploads.js'
import type { UploadBody } from '../../videos/upload-body.js'
import { UploadFlow } from '../../videos/upload-flow.js'
import { type VideoJson, videoOut } from '../../videos/video.schema.js'
import { toVideoJson } from '../../videos/video-json.js'
import { Answers, Refuses } from '../../web/answers.js'
import { API } from '../../web/api-path.js'
import { StreamedBody } from '../../web/streamed-body.js'
import { CONTENT_DIGEST_PATTERN, sha256Of } from './content-digest.js'
import { openMultipart } from './multipart-upload.js'
import { requestBodyOf } from './request-body.js'
import { decodedFileNameOf, fileNameOf, recordedAtOf } from './upload-facts.js'
import { FILE_NAME_FORM } from './video-uploads.schema.js'

const REFUSALS = [
  'invalid_request',
  'invalid_file_name',
  'file_exists',
  'body_too_large',
  'unsupported_media',
  'too_many_requests',
  'disk_full',
] as const

/** Files that come in one request. */
@ApiTags('videos')
@Controller(`${API}/videos`)
export class VideoUploadsController {
  constructor(
    private readonly uploads: SingleUploads,
    private readonly flow: UploadFlow,
    private readonly sessions: Sessions,
  ) {}

  @Put(':id')
  @StreamedBody()
  @ForDevices()
  @ApiOperation({
    operationId: 'putVideo',
    summary: 'Upload a video',
    description:
      'The file as the body, whatever `Content-Type` says. Answered when it is on disk. Sending the same bytes under the same name again is safe: 200 with the video that is there. What breaks off leaves nothing; over bad networks use tus (`/videos/uploads`).',
  })
  @ApiParam({
    // As the path of one video, which this is too: OpenAPI forbids two names for one place.
    name: 'id',
    description: 'The name of the file: percent-encoded UTF-8, at most 200 bytes, one path segment',
    schema: { type: 'string', ...FILE_NAME_FORM, example: 'crash-0712.mp4' },
  })
  @ApiHeader({
    name: 'Content-Digest',
    required: false,
    description: 'RFC 9530: `sha-256=:base64:`; other algorithms are not looked at',
    schema: { type: 'string', pattern: CONTENT_DIGEST_PATTERN },
  })
  @ApiHeader({
    name: 'X-Recorded-At',
    required: false,
    description: 'When it was recorded: ISO 8601 with an offset, or epoch milliseconds',
    schema: { type: 'string', pattern: TIME_PATTERN },
  })
  @ApiConsumes('application/octet-stream')
  @ApiBody({ schema: { type: 'string', format: 'binary' }, required: true })
  @Answers(201, 'The video, new', videoOut, ['Location'])
  @Answers(200, 'The video, which was there', videoOut)
  @Refuses(...REFUSALS, 'digest_mismatch')
  async put(
    @Param('id') name: string,
    @Req() request: FastifyRequest,
    @CurrentDeviceId() deviceId: DeviceId,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<VideoJson> {
    this.sessions.heardWithoutLink(deviceId, 'http')
    const { headers } = request
    if (headers['content-range'] !== undefined) throw new AppError('invalid_request', 'Send the whole file')
    const upload = {
      deviceId,
      fileName: fileNameOf(name),
      recordedAtMs: recordedAtOf([headers['x-recorded-at']].flat()[0], 'X-Recorded-At'),
      sha256: sha256Of(headers['content-digest']),
      way: 'put',
    } as const
    this.flow.checkSize(Number(headers['content-length'] ?? 0))
    return this.take(upload, requestBodyOf(request), reply)
  }

  @Post()
  @StreamedBody()
  @ForDevices()
  @ApiOperation({
    operationId: 'postVideo',
    summary: 'Upload a video from a form',
    description:
      'The file in the field `file`, with its name there; a field `recordedAt` may come before it. Otherwise as `PUT /videos/{fileName}`.',
  })
  @ApiConsumes('multipart/form-data')
  @ApiBody({
    schema: {
      type: 'object',
      required: ['file'],
      properties: {
        recordedAt: {
          type: 'string',
          pattern: TIME_PATTERN,
          description: 'Before the file. ISO 8601 with an offset, or epoch milliseconds',
          example: '2026-11-22T07:29:50.000Z',
        },
        file: { type: 'string', format: 'binary' },
      },
    },
    required: true,
  })
  @Answers(201, 'The video, new', videoOut, ['Location'])
  @Answers(200, 'The video, which was there', videoOut)
  @Refuses(...REFUSALS, 'unsupported_media_type')
  async post(
    @Req() request: FastifyRequest,
    @CurrentDeviceId() deviceId: DeviceId,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<VideoJson> {
    this.sessions.heardWithoutLink(deviceId, 'http')
    const { fileName, recordedAt, bytes } = await openMultipart(request)
    const upload = {
      deviceId,
      fileName: decodedFileNameOf(fileName),
      recordedAtMs: recordedAtOf(recordedAt, 'recordedAt'),
      way: 'multipart',
    } as const
    return this.take(upload, requestBodyOf(request, bytes), reply)
  }

  private async take(upload: SingleUpload, body: UploadBody, reply: FastifyReply): Promise<VideoJson> {
    const { video, isNew } = await this.uploads.take(upload, body)
    reply.status(isNew ? 201 : 200)
    if (isNew) reply.header('location', `/${API}/videos/${video.id}`)
    return toVideoJson(video)
  }
}

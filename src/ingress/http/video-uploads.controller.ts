import { Controller, Param, Post, Put, Req, Res } from '@nestjs/common'
import { ApiBody, ApiConsumes, ApiHeader, ApiOperation, ApiParam, ApiTags } from '@nestjs/swagger'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { CurrentDeviceId, ForDevices } from '../../identity/access.js'
import { AppError } from '../../model/app-error.js'
import type { DeviceId } from '../../model/device-id.js'
import { TIME_PATTERN } from '../../model/time.js'
import { Sessions } from '../../sessions/sessions.js'
import { type SingleRequest, type SingleUpload, SingleUploads } from '../../videos/single-uploads.js'
import { UploadFlow } from '../../videos/upload-flow.js'
import { type VideoJson, videoOut } from '../../videos/video.schema.js'
import { toVideoJson } from '../../videos/video-json.js'
import { Answers, Refuses } from '../../web/answers.js'
import { API } from '../../web/api-path.js'
import { StreamedBody } from '../../web/streamed-body.js'
import { CONTENT_DIGEST_PATTERN, sha256Of } from './content-digest.js'
import { MultipartUpload } from './multipart-upload.js'
import { requestBodyOf } from './request-body.js'
import { decodedFileNameOf, fileNameOf, recordedAtOf } from './upload-facts.js'
import { FILE_NAME_FORM } from './video-uploads.schema.js'

const RECORDED_AT = 'x-recorded-at'
/** What a form may hold beside its file. */
const FORM_BYTES = 1_048_576

const REFUSALS = [
  'invalid_request',
  'invalid_file_name',
  'digest_mismatch',
  'file_exists',
  'body_too_large',
  'unsupported_media',
  'too_many_requests',
  'disk_full',
] as const

const Digest = (description: string) =>
  ApiHeader({
    name: 'Content-Digest',
    required: false,
    description,
    schema: { type: 'string', pattern: CONTENT_DIGEST_PATTERN },
  })
const RecordedAt = (description: string) =>
  ApiHeader({ name: 'X-Recorded-At', required: false, description, schema: { type: 'string', pattern: TIME_PATTERN } })

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
  @Digest('RFC 9530: `sha-256=:base64:`; other algorithms are not looked at')
  @RecordedAt('When it was recorded: ISO 8601 with an offset, or epoch milliseconds')
  @ApiConsumes('application/octet-stream')
  @ApiBody({ schema: { type: 'string', format: 'binary' }, required: true })
  @Answers(201, 'The video, new', videoOut, ['Location'])
  @Answers(200, 'The video, which was there', videoOut)
  @Refuses(...REFUSALS)
  async put(
    @Param('id') name: string,
    @Req() request: FastifyRequest,
    @CurrentDeviceId() deviceId: DeviceId,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<VideoJson> {
    const { headers } = request
    const length = headers['content-length']
    return this.take({ deviceId, way: 'put', body: requestBodyOf(request) }, reply, () => {
      if (headers['content-range'] !== undefined) throw new AppError('invalid_request', 'Send the whole file')
      const recordedAtMs = recordedAtOf([headers[RECORDED_AT]].flat()[0], 'X-Recorded-At')
      return {
        fileName: fileNameOf(name),
        recordedAtMs: () => recordedAtMs,
        bytes: length === undefined ? undefined : Number(length),
        sha256: sha256Of(headers['content-digest']),
      }
    })
  }

  @Post()
  @StreamedBody()
  @ForDevices()
  @ApiOperation({
    operationId: 'postVideo',
    summary: 'Upload a video from a form',
    description:
      'The file in the field `file`, with its name there; a field `recordedAt` may come before or after it. A `Content-Digest` among the headers of the part is that of the file, one of the request that of the whole form. Otherwise as `PUT /videos/{fileName}`.',
  })
  @Digest('Of the whole form, as for `PUT`')
  @RecordedAt('If the form has no `recordedAt`')
  @ApiConsumes('multipart/form-data')
  @ApiBody({
    schema: {
      type: 'object',
      required: ['file'],
      properties: {
        recordedAt: {
          type: 'string',
          pattern: TIME_PATTERN,
          description: 'ISO 8601 with an offset, or epoch milliseconds',
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
    const form = new MultipartUpload(request)
    const { headers } = request
    const ofRequest = recordedAtOf([headers[RECORDED_AT]].flat()[0], 'X-Recorded-At')
    try {
      return await this.take(
        { deviceId, way: 'multipart', body: requestBodyOf(request, form.bytes) },
        reply,
        async () => {
          this.flow.checkSize(Number(headers['content-length'] ?? 0) - FORM_BYTES)
          const { fileName, sha256 } = await form.open()
          return {
            fileName: decodedFileNameOf(fileName),
            recordedAtMs: () => recordedAtOf(form.recordedAt, 'recordedAt') ?? ofRequest,
            sha256,
          }
        },
      )
    } finally {
      form.leave()
    }
  }

  private async take(
    request: SingleRequest,
    reply: FastifyReply,
    describe: () => SingleUpload | Promise<SingleUpload>,
  ): Promise<VideoJson> {
    this.sessions.heardWithoutLink(request.deviceId, 'http')
    const { video, isNew } = await this.uploads.take(request, describe)
    reply.status(isNew ? 201 : 200)
    if (isNew) reply.header('location', `/${API}/videos/${video.id}`)
    return toVideoJson(video)
  }
}

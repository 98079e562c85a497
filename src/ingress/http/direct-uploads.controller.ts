import { Body, Controller, Param, Post, Req, Res } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { CurrentDeviceId, ForDevices } from '../../identity/access.js'
import type { DeviceId } from '../../model/device-id.js'
import { formatTime } from '../../model/time.js'
import { Sessions } from '../../sessions/sessions.js'
import { DirectUploads, type OpenDirectUpload } from '../../videos/direct-uploads.js'
import { type VideoJson, videoIdParam, videoOut } from '../../videos/video.schema.js'
import { toVideoJson } from '../../videos/video-json.js'
import { Answers, REFUSED_BODIES, Refuses } from '../../web/answers.js'
import { API } from '../../web/api-path.js'
import { answerInItsTime } from '../../web/request-deadlines.js'
import {
  type DirectCompletionIn,
  type DirectUploadIn,
  type DirectUploadJson,
  directCompletionIn,
  directUploadIn,
  directUploadOut,
} from './video-uploads.schema.js'

/** Uploads that go past this server, which only a blob store of its own address can take: the embedded one cannot. */
@ApiTags('videos')
@Controller(`${API}/videos`)
export class DirectUploadsController {
  constructor(
    private readonly uploads: DirectUploads,
    private readonly sessions: Sessions,
  ) {}

  @Post('direct')
  @ForDevices()
  @ApiOperation({
    operationId: 'beginDirectUpload',
    summary: 'Upload straight to the object store',
    description:
      'Answers where to PUT the file when objects are kept in S3, else 409 `direct_upload_unavailable`: use another way then. A file over 64 MiB goes up in parts of 64 MiB (the last one smaller), each by a PUT of its own, in any order and at the same time; give `partSha256` then. Send exactly the `headers` of each answer: the store refuses other bytes. Asking again for the same file is safe: the same `id`, fresh URLs, and what was sent stays.',
  })
  @Answers(201, 'Where the file goes', directUploadOut)
  @Answers(200, 'The video: the device has sent these bytes under this name before', videoOut)
  @Refuses(
    ...REFUSED_BODIES,
    'invalid_file_name',
    'file_exists',
    'direct_upload_unavailable',
    'unsupported_media',
    'too_many_requests',
    'disk_full',
  )
  async begin(
    @Body({ schema: directUploadIn }) upload: DirectUploadIn,
    @CurrentDeviceId() deviceId: DeviceId,
    @Res({ passthrough: true }) reply: FastifyReply,
    @Req() request: FastifyRequest,
  ): Promise<DirectUploadJson | VideoJson> {
    this.sessions.heardWithoutLink(deviceId, 'http')
    const { recordedAt, partSha256, ...facts } = upload
    const announced = { ...facts, deviceId, recordedAtMs: recordedAt ?? null, partSha256: partSha256 ?? [] }
    const begun = await answerInItsTime(request.raw, () => this.uploads.begin(announced))
    if ('upload' in begun) return toJson(begun.upload)
    reply.status(200)
    return toVideoJson(begun.video)
  }

  @Post(':id/complete')
  @ForDevices()
  @ApiOperation({
    operationId: 'completeDirectUpload',
    summary: 'Finish a direct upload',
    description:
      'After the last PUT; of a file in parts with the `ETag` that each of them was answered with. All bytes are read, and the video is shown when their size and SHA-256 are those announced, which takes its time for a large file: wait for the answer, or ask again. A client that leaves changes nothing.',
  })
  @Answers(201, 'The video, new', videoOut, ['Location'])
  @Answers(200, 'The video, which was there', videoOut)
  @Refuses(
    ...REFUSED_BODIES,
    'digest_mismatch',
    'not_found',
    'file_exists',
    'upload_incomplete',
    'direct_upload_unavailable',
    'unsupported_media',
    'too_many_requests',
    'disk_full',
  )
  async complete(
    @Param('id', { schema: videoIdParam }) id: string,
    @Body({ schema: directCompletionIn }) { etags }: DirectCompletionIn,
    @CurrentDeviceId() deviceId: DeviceId,
    @Res({ passthrough: true }) reply: FastifyReply,
    @Req() request: FastifyRequest,
  ): Promise<VideoJson> {
    this.sessions.heardWithoutLink(deviceId, 'http')
    const { video, isNew } = await answerInItsTime(request.raw, () => this.uploads.complete(deviceId, id, etags ?? []))
    reply.status(isNew ? 201 : 200)
    if (isNew) reply.header('location', `/${API}/videos/${video.id}`)
    return toVideoJson(video)
  }
}

function toJson({ id, requests, expiresAtMs }: OpenDirectUpload): DirectUploadJson {
  const expiresAt = formatTime(expiresAtMs)
  const [only, ...others] = requests.map(({ method, url, headers, bytes }, index) => ({
    number: index + 1,
    method,
    url,
    headers: { ...headers },
    bytes,
  }))
  if (only === undefined) throw new RangeError('an upload has at least one part')
  if (others.length > 0) return { id, parts: [only, ...others], expiresAt }
  return { id, method: only.method, url: only.url, headers: only.headers, expiresAt }
}

import { applyDecorators, Controller, Get, Param, Query, Req, Res, type StreamableFile } from '@nestjs/common'
import { ApiHeader, ApiOperation, ApiTags } from '@nestjs/swagger'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { ForUsersOrLink } from '../identity/access.js'
import type { ErrorCode } from '../model/app-error.js'
import { MEDIA_TYPES } from '../model/video.js'
import { Answers, Refuses } from '../web/answers.js'
import { AnswersIn } from '../web/answers-in.js'
import { API } from '../web/api-path.js'
import { answerFile } from './file-answer.js'
import { type ContentQueryIn, contentQueryIn, pictureQueryIn, screenshotParam, videoIdParam } from './video.schema.js'
import { VideoContent } from './video-content.js'

const BINARY = { type: 'string', format: 'binary' }
const FILE_HEADERS = ['ETag', 'Accept-Ranges', 'Content-Disposition'] as const
const LINK = 'A signed link (`POST /videos/{id}/link`) opens it without a header.'

/** Documents a route that answers with a file, whole or in parts. */
function ServesFile(types: readonly string[], ...refusals: ErrorCode[]) {
  const content = Object.fromEntries(types.map((type) => [type, BINARY]))
  return applyDecorators(
    ApiHeader({ name: 'Range', required: false, description: 'One: `bytes=0-1023`, `bytes=1024-` or `bytes=-1024`' }),
    ApiHeader({ name: 'If-Range', required: false, description: 'An ETag: the range if it is that still, else all' }),
    ApiHeader({ name: 'If-None-Match', required: false, description: 'ETags that the client has: then 304' }),
    AnswersIn(200, 'The whole file', content, FILE_HEADERS),
    AnswersIn(206, 'The range', content, [...FILE_HEADERS, 'Content-Range']),
    AnswersIn(304, 'The client has it', {}, ['ETag']),
    Refuses('invalid_request', 'not_found', 'range_not_satisfiable', ...refusals),
  )
}

@ApiTags('videos')
@Controller(`${API}/videos/:id`)
export class VideoFilesController {
  constructor(private readonly content: VideoContent) {}

  @Get('content')
  @ForUsersOrLink('viewer')
  @ApiOperation({
    operationId: 'getVideoContent',
    summary: 'The file of a video',
    description: `Streamed, byte for byte as the unit sent it, with \`HEAD\`, \`ETag\`, \`If-None-Match\` and one \`Range\` at a time (several at once: the whole). With \`S3_PRESIGN=true\` a \`GET\` is sent on to the object store, which answers with the same bytes for 10 minutes. ${LINK}`,
  })
  @Answers(302, 'The object store has it at this address', undefined, ['Location'])
  @ServesFile(MEDIA_TYPES, 'object_missing')
  async file(
    @Param('id', { schema: videoIdParam }) id: string,
    @Query({ schema: contentQueryIn }) { download }: ContentQueryIn,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<StreamableFile | undefined> {
    return answerFile(request, reply, await this.content.file(id, download === '1'))
  }

  @Get('thumbnail')
  @ForUsersOrLink('viewer')
  @ApiOperation({
    operationId: 'getVideoThumbnail',
    summary: 'A small picture of a video',
    description: `320 px wide. 404 until it is made. ${LINK}`,
  })
  @ServesFile(['image/jpeg'])
  async thumbnail(
    @Param('id', { schema: videoIdParam }) id: string,
    @Query({ schema: pictureQueryIn }) _query: unknown,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<StreamableFile | undefined> {
    return answerFile(request, reply, await this.content.thumbnail(id))
  }

  @Get('screenshots/:number')
  @ForUsersOrLink('viewer')
  @ApiOperation({
    operationId: 'getVideoScreenshot',
    summary: 'A picture out of a video',
    description: `Numbered 1 to 3 in order of time. 404 until it is made; a JPEG upload has none. ${LINK}`,
  })
  @ServesFile(['image/jpeg'])
  async screenshot(
    @Param('id', { schema: videoIdParam }) id: string,
    @Param('number', { schema: screenshotParam }) number: number,
    @Query({ schema: pictureQueryIn }) _query: unknown,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<StreamableFile | undefined> {
    return answerFile(request, reply, await this.content.screenshot(id, number))
  }
}

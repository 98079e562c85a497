import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post, Query, Req } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import type { FastifyRequest } from 'fastify'
import { CurrentUser, ForUsers, type UserCaller } from '../identity/access.js'
import { Answers, Refuses } from '../web/answers.js'
import { API } from '../web/api-path.js'
import { clientAddressOf } from '../web/client-address.js'
import type { Page } from '../web/cursor.js'
import { WritesNothing } from '../web/writes-nothing.js'
import {
  type SignedLinksJson,
  signedLinksOut,
  type VideoChangesIn,
  type VideoJson,
  type VideoQueryIn,
  videoChangesIn,
  videoIdParam,
  videoOut,
  videoPageOut,
  videoQueryIn,
} from './video.schema.js'
import { type Actor, VideosService } from './videos.service.js'

@ApiTags('videos')
@Controller(`${API}/videos`)
export class VideosController {
  constructor(private readonly videos: VideosService) {}

  @Get()
  @ForUsers('viewer')
  @ApiOperation({
    operationId: 'listVideos',
    summary: 'List videos',
    description:
      'Newest first by `recordedAt`, else `uploadedAt`. Filters combine freely, and all must hold. Only whole uploads are videos.',
  })
  @Answers(200, 'One page of videos', videoPageOut)
  @Refuses('invalid_request', 'unknown_parameter', 'invalid_cursor')
  list(@Query({ schema: videoQueryIn }) query: VideoQueryIn): Promise<Page<VideoJson>> {
    return this.videos.list(query)
  }

  @Get(':id')
  @ForUsers('viewer')
  @ApiOperation({
    operationId: 'getVideo',
    summary: 'One video',
    description: 'What is known of the file, where its bytes and pictures are, and the alarms that name it.',
  })
  @Answers(200, 'The video', videoOut)
  @Refuses('not_found')
  get(@Param('id', { schema: videoIdParam }) id: string): Promise<VideoJson> {
    return this.videos.get(id)
  }

  @Patch(':id')
  @ForUsers('operator')
  @ApiOperation({
    operationId: 'changeVideo',
    summary: 'Keep a video, or no longer',
    description: 'A kept video is left alone by `VIDEO_RETENTION_DAYS`. An admin can still remove it.',
  })
  @Answers(200, 'The video after the change', videoOut)
  @Refuses('invalid_request', 'not_found', 'body_too_large', 'unsupported_media_type', 'disk_full')
  change(
    @Param('id', { schema: videoIdParam }) id: string,
    @Body({ schema: videoChangesIn }) changes: VideoChangesIn,
    @CurrentUser() user: UserCaller,
    @Req() request: FastifyRequest,
  ): Promise<VideoJson> {
    return this.videos.change(id, changes, actorOf(user, request))
  }

  @Delete(':id')
  @HttpCode(204)
  @ForUsers('admin')
  @ApiOperation({
    operationId: 'deleteVideo',
    summary: 'Remove a video',
    description:
      'With its file and its pictures, for good; kept ones too. Alarms that name the file stay, without a video. It leaves all lists at once; when this ends half-way, repeating it goes on, and the server does so by itself.',
  })
  @Answers(204, 'It is gone')
  @Refuses('not_found')
  delete(
    @Param('id', { schema: videoIdParam }) id: string,
    @CurrentUser() user: UserCaller,
    @Req() request: FastifyRequest,
  ): Promise<void> {
    return this.videos.delete(id, actorOf(user, request))
  }

  @Post(':id/link')
  @HttpCode(200)
  @WritesNothing()
  @ForUsers('viewer')
  @ApiOperation({
    operationId: 'signVideoLinks',
    summary: 'Links that need no header',
    description:
      "For what cannot send one, such as a browser's `<video>` and `<img>`. Each URL opens its own file or picture for 10 minutes to whoever has it, and nothing else; it outlives the session of whoever asked for it. The URLs begin with a slash: they are on this server.",
  })
  @Answers(200, 'URLs, and until when they are good', signedLinksOut)
  @Refuses('not_found')
  sign(@Param('id', { schema: videoIdParam }) id: string): Promise<SignedLinksJson> {
    return this.videos.sign(id)
  }
}

function actorOf(user: UserCaller, request: FastifyRequest): Actor {
  return { by: user.username, address: clientAddressOf(request) }
}

import { Body, Controller, Param, Post } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import { ForDevices } from '../../identity/access.js'
import { AppError } from '../../model/app-error.js'
import { videoIdParam, videoOut } from '../../videos/video.schema.js'
import { Answers, REFUSED_BODIES, Refuses } from '../../web/answers.js'
import { API } from '../../web/api-path.js'
import {
  type DirectCompletionIn,
  type DirectUploadIn,
  directCompletionIn,
  directUploadIn,
  directUploadOut,
} from './video-uploads.schema.js'

/** Uploads that go past this server, which only a blob store of its own address can take: the embedded one cannot. */
@ApiTags('videos')
@Controller(`${API}/videos`)
export class DirectUploadsController {
  @Post('direct')
  @ForDevices()
  @ApiOperation({
    operationId: 'beginDirectUpload',
    summary: 'Upload straight to the object store',
    description:
      'Answers where to PUT the file when objects are kept in S3, else 409 `direct_upload_unavailable`: use another way then. Over 64 MiB give `partSha256`.',
  })
  @Answers(201, 'Where the file goes', directUploadOut)
  @Refuses(...REFUSED_BODIES, 'invalid_file_name', 'direct_upload_unavailable', 'disk_full')
  begin(@Body({ schema: directUploadIn }) _upload: DirectUploadIn): never {
    throw unavailable()
  }

  @Post(':id/complete')
  @ForDevices()
  @ApiOperation({
    operationId: 'completeDirectUpload',
    summary: 'Finish a direct upload',
    description:
      'After the last PUT, for parts with their ETags. The size and SHA-256 of the object are checked before the video is shown.',
  })
  @Answers(201, 'The video, new', videoOut, ['Location'])
  @Answers(200, 'The video, which was there', videoOut)
  @Refuses(...REFUSED_BODIES, 'not_found', 'direct_upload_unavailable', 'disk_full')
  complete(
    @Param('id', { schema: videoIdParam }) _id: string,
    @Body({ schema: directCompletionIn }) _completion: DirectCompletionIn,
  ): never {
    throw unavailable()
  }
}

function unavailable(): AppError {
  return new AppError('direct_upload_unavailable', 'Objects are kept by this server itself: PUT the file, or use tus')
}

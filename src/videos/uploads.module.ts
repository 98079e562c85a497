import { Module } from '@nestjs/common'
import { DirectArrival } from './direct-arrival.js'
import { DirectUploads } from './direct-uploads.js'
import { ResumableUploads } from './resumable-uploads.js'
import { SingleUploads } from './single-uploads.js'
import { UploadAdmission } from './upload-admission.js'
import { UploadFlow } from './upload-flow.js'
import { UploadIntake } from './upload-intake.js'
import { UploadSweeper } from './upload-sweeper.js'
import { UploadsUnderWay } from './uploads-under-way.js'
import { VideoArrival } from './video-arrival.js'
import { VideosModule } from './videos.module.js'

/** How files of units become videos, whichever way they come in. */
@Module({
  imports: [VideosModule],
  providers: [
    UploadAdmission,
    UploadFlow,
    UploadsUnderWay,
    VideoArrival,
    SingleUploads,
    UploadIntake,
    ResumableUploads,
    DirectArrival,
    DirectUploads,
    UploadSweeper,
  ],
  exports: [UploadFlow, UploadsUnderWay, SingleUploads, ResumableUploads, DirectUploads, UploadSweeper],
})
export class UploadsModule {}

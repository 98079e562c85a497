import { Injectable } from '@nestjs/common'
import { KeyedLocks } from './keyed-locks.js'

/** By the video's id: its file and its pictures are put in their places or removed by one at a time. Other nodes are kept out by the claim of its row. */
@Injectable()
export class VideoLocks extends KeyedLocks {}

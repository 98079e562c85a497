import type { DeviceId } from '../../model/device-id.js'
import type { MediaFacts, MediaType, Video, VideoStatus } from '../../model/video.js'

/** A whole upload that is to become a video. */
export interface NewVideo {
  readonly id: string
  readonly deviceId: DeviceId
  readonly fileName: string
  readonly bytes: number
  readonly sha256: string
  readonly contentType: MediaType
  readonly recordedAtMs: number | null
  /** Of the blob store: its bytes become the object. */
  readonly blobUploadId: string
  readonly reservedAtMs: number
}

export interface VideoFilter {
  readonly deviceIds?: readonly DeviceId[]
  readonly fileNames?: readonly string[]
  /** On `recordedAt`, else `uploadedAt`; inclusive. */
  readonly fromMs?: number
  readonly toMs?: number
  readonly alarmIds?: readonly string[]
  readonly statuses?: readonly VideoStatus[]
}

export interface VideoQuery extends VideoFilter {
  readonly limit: number
  /** Exclusive: continue behind this one, newest first by `recordedAt`, else `uploadedAt`. */
  readonly after?: { readonly atMs: number; readonly id: string }
}

/** What the background worker leaves behind. */
export interface MediaOutcome extends Partial<MediaFacts> {
  readonly status: VideoStatus
  readonly failureReason: string | null
  readonly hasThumbnail?: boolean
  readonly screenshots?: number
}

/** A name that is taken, whoever has it. */
export interface HeldName extends Pick<Video, 'id' | 'fileName'> {
  /** null: its bytes have become the object. */
  readonly blobUploadId: string | null
}

/**
 * A unit that says it recorded before this had a clock that was not set, or one that fell back by the 1,024 weeks of GPS. Such a video
 * is as old as its upload: evidence must not go as soon as it has come.
 */
export const CLOCKS_BEGIN_MS = Date.UTC(2015, 0, 1)

/** So many of the alarms that name a file are told, the newest; a unit may let any number name it. */
export const MOST_ALARM_IDS = 100

/**
 * A claim of another node counts for so long, by the database's clock. Whatever is done to an object between a claim and its end takes
 * seconds, or minutes where a large one is put together; a node that died leaves its claims behind.
 */
export const CLAIMED_FOR_MS = 1_800_000

/**
 * Videos, unique by device and name. A video is reserved (hidden), then its object is completed, then it is shown; only shown ones
 * are found, listed and joined to alarms.
 *
 * Objects are called by device and name, and a name is given out again once its row is gone. So what makes or removes an object is
 * done only by the node that has claimed the row, and only that node ends the row after it: none can touch the object of a later video
 * of that name. Within a node claims keep nobody out.
 */
export abstract class VideoRecords {
  /**
   * Takes the name, and claims it.
   * @returns undefined when it is taken now; else who has it: a shown video, a reservation that was not ended, or (neither) a video
   * whose removal is under way
   */
  abstract reserve(video: NewVideo): Promise<{ readonly video?: Video; readonly reservation?: NewVideo } | undefined>
  /**
   * Shows a reserved video, with status `processing`, unless another node has claimed it, and ends the claim.
   * @returns undefined when it is not shown, by nobody; `removed` when this has shown it and somebody removed it that very moment
   */
  abstract show(id: string, uploadedAtMs: number): Promise<Video | 'removed' | undefined>
  /** Gives the name of a reservation free, unless another node has claimed it; a shown video is not touched. */
  abstract release(id: string): Promise<void>
  /**
   * Claims the row for this node, whatever state it is in, or renews the claim.
   * @param forMs so long a claim of another node counts
   * @returns whether it is this node's now; false also when there is none any more
   */
  abstract claim(id: string, forMs: number): Promise<boolean>
  /** Ends this node's claim before its time. */
  abstract unclaim(id: string): Promise<void>
  /** Reservations from before the moment: what a crash left between two steps. */
  abstract listReserved(beforeMs: number): Promise<NewVideo[]>

  abstract find(id: string): Promise<Video | undefined>
  abstract findByName(deviceId: DeviceId, fileName: string): Promise<Video | undefined>
  abstract list(query: VideoQuery): Promise<Video[]>
  abstract setKeep(id: string, keep: boolean): Promise<Video | undefined>
  /**
   * First step of a removal: from now on nothing finds or lists the video, and its name stays taken until {@link remove}, so that
   * no new file of that name comes while the old one's objects go. Repeating it is safe.
   * @param unlessKept leaves a video alone that somebody keeps, also if they did so this very moment
   * @returns the video as it was, or undefined when there is none, shown or hidden
   */
  abstract hide(id: string, unlessKept?: boolean): Promise<Video | undefined>
  /** Hidden videos, oldest first: removals that are under way, or that a crash left half-way. */
  abstract listHidden(limit: number): Promise<Video[]>
  /** Last step: forgets a hidden video and gives its name free, unless another node has claimed it. A shown one is not touched. */
  abstract remove(id: string): Promise<void>

  /**
   * Videos that wait for the background worker, oldest first: status `processing`, or failed as `media_tool_missing`.
   * @param withMissingTool false: not the latter
   */
  abstract listToProcess(limit: number, withMissingTool: boolean): Promise<Video[]>
  /** Counts one more beginning of the work on it, before it begins, so that a file that kills its worker is given up. @returns how many */
  abstract countAttempt(id: string): Promise<number>
  /** @returns the video after it, or undefined when it was removed meanwhile */
  abstract setOutcome(id: string, outcome: MediaOutcome): Promise<Video | undefined>

  /**
   * Shown videos that are not kept and are older, by `recordedAt` else `uploadedAt`, oldest first. One from before
   * {@link CLOCKS_BEGIN_MS} must be older by `uploadedAt` as well.
   */
  abstract listOlderThan(atMs: number, limit: number): Promise<Video[]>
  /** All that hold a name of the device: shown, reserved and hidden ones. */
  abstract listOfDevice(deviceId: DeviceId, limit: number): Promise<HeldName[]>
}

import { Injectable } from '@nestjs/common'
import { LINK_PARAMETER } from '../identity/access.js'
import { TokenIssuer } from '../identity/tokens.js'
import { formatTime } from '../model/time.js'
import type { Video } from '../model/video.js'
import type { SignedLinksJson } from './video.schema.js'
import { videoPathsOf } from './video-json.js'

/** URLs of a video's file and pictures that open without a header, each for itself only. */
@Injectable()
export class SignedLinks {
  constructor(private readonly issuer: TokenIssuer) {}

  async sign(video: Video): Promise<SignedLinksJson> {
    const { content, thumbnail, screenshots } = videoPathsOf(video)
    const paths = [content, ...(thumbnail === null ? [] : [thumbnail]), ...screenshots]
    const signed = await Promise.all(paths.map((path) => this.issuer.issueLink(path)))
    const urls = signed.map(({ token }, index) => `${paths[index]}?${LINK_PARAMETER}=${token}`)
    return {
      content: urls[0] as string,
      thumbnail: thumbnail === null ? null : (urls[1] as string),
      screenshots: urls.slice(urls.length - screenshots.length),
      expiresAt: formatTime(Math.min(...signed.map(({ expiresAtMs }) => expiresAtMs))),
    }
  }
}

import type { AppConfig } from '../../config/app-config.js'
import type { S3BlobsOptions } from './s3-blob-store.js'

/** Where the bucket is. @returns undefined when objects are not on S3 */
export function s3OptionsOf(
  config: Pick<
    AppConfig,
    | 'S3_ENDPOINT'
    | 'S3_REGION'
    | 'S3_BUCKET'
    | 'S3_ACCESS_KEY_ID'
    | 'S3_SECRET_ACCESS_KEY'
    | 'S3_FORCE_PATH_STYLE'
    | 'S3_PUBLIC_ENDPOINT'
  >,
): Omit<S3BlobsOptions, 'directory'> | undefined {
  if (config.S3_BUCKET === undefined) return undefined
  return {
    endpoint: config.S3_ENDPOINT,
    region: config.S3_REGION,
    bucket: config.S3_BUCKET,
    accessKeyId: config.S3_ACCESS_KEY_ID,
    secretAccessKey: config.S3_SECRET_ACCESS_KEY,
    forcePathStyle: config.S3_FORCE_PATH_STYLE,
    publicEndpoint: config.S3_PUBLIC_ENDPOINT,
  }
}

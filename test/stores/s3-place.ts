import { S3Client } from '@aws-sdk/client-s3'
import { openS3Blobs, type S3BlobStore, type S3BlobsOptions } from '../../src/storage/blobs/s3-blob-store.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { makeBucket } from './test-servers.js'

/** A bucket of a test's own, with a client that looks past the store. */
export interface S3Place {
  readonly options: S3BlobsOptions
  readonly client: S3Client
  /** S3 says seconds in some of its answers, and its clock is known by a header of seconds, which servers may renew once a second. */
  readonly timeStepMs: number
  readonly sendsParts: true
  open(others?: Partial<S3BlobsOptions>): Promise<S3BlobStore>
  remove(): Promise<void>
}

export async function makeS3Place(): Promise<S3Place> {
  const bucket = await makeBucket()
  const options = optionsOf(bucket.variables)
  const { endpoint, region, forcePathStyle, accessKeyId = '', secretAccessKey = '' } = options
  const client = new S3Client({
    ...(endpoint === undefined ? {} : { endpoint }),
    region,
    forcePathStyle,
    credentials: { accessKeyId, secretAccessKey },
  })
  return {
    options,
    client,
    timeStepMs: 2500,
    sendsParts: true,
    open: (others) => openS3Blobs({ ...options, ...others }),
    remove: async () => {
      client.destroy()
      await bucket.remove()
    },
  }
}

function optionsOf(variables: Readonly<Record<string, string>>): S3BlobsOptions {
  return {
    endpoint: variables.S3_ENDPOINT,
    region: variables.S3_REGION ?? '',
    bucket: variables.S3_BUCKET ?? '',
    accessKeyId: variables.S3_ACCESS_KEY_ID,
    secretAccessKey: variables.S3_SECRET_ACCESS_KEY,
    forcePathStyle: variables.S3_FORCE_PATH_STYLE === 'true',
    directory: temporaryDirectory(),
  }
}

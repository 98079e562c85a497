import { type BucketLocationConstraint, CreateBucketCommand, ListObjectsV2Command } from '@aws-sdk/client-s3'
import { StoreOpenError } from '../store-open-error.js'
import { S3Bucket } from './s3-bucket.js'
import { S3Connection, type S3ConnectionOptions } from './s3-connection.js'
import { isRefusedAs, refusalOf, toS3Error } from './s3-errors.js'

/** The region that AWS takes for no region. */
const FIRST_REGION = 'us-east-1'
/** Two servers that start together both make it. */
const MADE_ALREADY = ['BucketAlreadyOwnedByYou', 'BucketAlreadyExists']
const WRONG_REGION = ['PermanentRedirect', 'AuthorizationHeaderMalformed', 'IllegalLocationConstraintException']

/** What an operator can do about what a server says. */
const REASONS: Readonly<Record<string, string>> = {
  InvalidAccessKeyId: 'the server does not know S3_ACCESS_KEY_ID',
  SignatureDoesNotMatch: 'S3_SECRET_ACCESS_KEY is not that of the key',
  AccessDenied: 'the key has no permission for the bucket, or it is of somebody else',
  InvalidBucketName: 'S3_BUCKET is not a name that a bucket may have',
  RequestTimeTooSkewed: 'the clocks of this machine and the server differ by more than 15 minutes',
  CredentialsProviderError: 'no key: set S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY, or give the machine a role',
}

/**
 * Connects to a bucket, and makes it where there is none.
 * @throws StoreOpenError saying what is wrong: the key, the permission, the region or the way there
 */
export async function openS3Bucket(options: S3ConnectionOptions & { readonly bucket: string }): Promise<S3Bucket> {
  const connection = new S3Connection(options)
  try {
    await makeIfAbsent(connection, options)
    return new S3Bucket(connection, options.bucket)
  } catch (cause) {
    connection.close()
    const place = options.endpoint === undefined ? 'AWS' : new URL(options.endpoint).host
    throw new StoreOpenError(`the S3 bucket ${options.bucket} at ${place}`, reasonOf(cause, options.region), { cause })
  }
}

async function makeIfAbsent(
  connection: S3Connection,
  { bucket, region }: { readonly bucket: string; readonly region: string },
): Promise<void> {
  const look = () =>
    connection.ask((client, options) => client.send(new ListObjectsV2Command({ Bucket: bucket, MaxKeys: 1 }), options))
  try {
    await look()
  } catch (error) {
    if (!isRefusedAs(error, 'NoSuchBucket')) throw error
    await make(connection, bucket, region)
    await look()
  }
}

async function make(connection: S3Connection, Bucket: string, region: string): Promise<void> {
  const place = { LocationConstraint: region as BucketLocationConstraint }
  const asked = { Bucket, ...(region === FIRST_REGION ? {} : { CreateBucketConfiguration: place }) }
  try {
    await connection.ask((client, options) => client.send(new CreateBucketCommand(asked), options))
  } catch (error) {
    if (!isRefusedAs(error, ...MADE_ALREADY)) throw error
  }
}

function reasonOf(error: unknown, region: string): string {
  const code = refusalOf(error)?.code ?? String((error as Error).name)
  if (WRONG_REGION.includes(code)) return `it is not in the region ${region}${regionOf(error)}: set S3_REGION`
  return REASONS[code] ?? (toS3Error(error) as Error).message.replace(/^blobs: /, '')
}

/** Where it is, if the server tells. */
function regionOf(error: unknown): string {
  const { Region, $response } = error as { Region?: string; $response?: { headers?: Record<string, string> } }
  const told = Region ?? $response?.headers?.['x-amz-bucket-region']
  return told === undefined ? '' : `, but in ${told}`
}

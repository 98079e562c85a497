import { describeOn } from '../../../test/stores/describe-on.js'
import { makeS3Place } from '../../../test/stores/s3-place.js'
import { removeTemporaryDirectories } from '../../../test/support/temporary-directory.js'
import { blobStoreContract } from './blob-store.contract.js'

describeOn('S3_ENDPOINT', 'blobs on S3', () => {
  afterAll(removeTemporaryDirectories)

  blobStoreContract('s3', makeS3Place)
})

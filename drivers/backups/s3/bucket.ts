import { CreateBucketCommand, HeadBucketCommand } from '@aws-sdk/client-s3'
import { createClient, type S3Spec } from './client.ts'
import { asDriverError, isMissing } from './errors.ts'

/** Makes the bucket where there is none; one that is there only has to be ours to use. Throws DriverError. */
export async function makeBucket(spec: S3Spec): Promise<void> {
  const client = createClient(spec)
  try {
    await client.send(new HeadBucketCommand({ Bucket: spec.bucket })).catch(async (error: unknown) => {
      if (!isMissing(error)) throw error
      await client.send(new CreateBucketCommand({ Bucket: spec.bucket }))
    })
  } catch (error) {
    throw asDriverError(error)
  } finally {
    client.destroy()
  }
}

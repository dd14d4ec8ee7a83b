/**
 * The process that uploads snapshots to S3-compatible storage: its argument is an UploadJob, and
 * what it prints at its end an UploadReport. It ends by itself, whatever becomes of its parent.
 */

import fs from 'node:fs'
import { createRequire } from 'node:module'
import { setTimeout as sleep } from 'node:timers/promises'
import { pauseAfter, type S3Options, type UploadJob, type UploadReport } from './upload'
import { removeMark } from './upload-mark'

/** What is used of `@aws-sdk/client-s3`. */
interface Sdk {
  S3Client: new (options: object) => Client
  PutObjectCommand: new (input: object) => object
}

interface Client {
  send(command: object, options: { abortSignal: AbortSignal }): Promise<unknown>
}

const PACKAGE = '@aws-sdk/client-s3'

/** As it is installed beside this package; never from the working directory. */
const load = (): Sdk => createRequire(__filename)(PACKAGE) as Sdk

function clientOf({ S3Client }: Sdk, { endpoint, region, forcePathStyle }: S3Options): Client {
  const given = {
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(region === undefined ? {} : { region }),
    ...(forcePathStyle === undefined ? {} : { forcePathStyle })
  }
  // Tries are counted here, and what other services do not know is left out.
  return new S3Client({ ...given, maxAttempts: 1, requestChecksumCalculation: 'WHEN_REQUIRED' })
}

async function put(sdk: Sdk, client: Client, job: UploadJob, { file, key }: UploadJob['files'][number]): Promise<void> {
  const input = {
    Bucket: job.s3.bucket,
    Key: key,
    Body: fs.readFileSync(file),
    ContentType: 'application/octet-stream'
  }
  await client.send(new sdk.PutObjectCommand(input), { abortSignal: AbortSignal.timeout(job.timeout) })
}

/** The error's text, in one line. */
const textOf = (error: unknown): string => {
  const { name, message, code } = error as NodeJS.ErrnoException
  return [...new Set([code ?? name, message])].filter(Boolean).join(': ').split('\n')[0] ?? ''
}

async function upload(
  sdk: Sdk,
  client: Client,
  job: UploadJob,
  entry: UploadJob['files'][number]
): Promise<string | null> {
  for (let attempt = 1; ; attempt++) {
    try {
      await put(sdk, client, job, entry)
      removeMark(entry.mark)
      return null
    } catch (error) {
      if (attempt >= job.attempts || !fs.existsSync(entry.file)) return textOf(error)
      await sleep(pauseAfter(attempt))
    }
  }
}

async function run(job: UploadJob): Promise<UploadReport> {
  const report: UploadReport = { uploaded: [], failed: [] }
  let sdk: Sdk
  try {
    sdk = load()
  } catch (error) {
    const why = (error as Error).message.split('\n')[0]
    const missing = `uploads of snapshots need the package ${PACKAGE}, which cannot be loaded: ${why}. To install it: npm install ${PACKAGE}`
    return { ...report, missing }
  }
  const client = clientOf(sdk, job.s3)
  for (const entry of job.files) {
    const message = await upload(sdk, client, job, entry)
    if (message === null) report.uploaded.push(entry.file)
    else report.failed.push({ file: entry.file, message })
  }
  return report
}

// The program may be over that would have read it.
process.stdout.on('error', () => process.exit())
void run(JSON.parse(process.argv[2] ?? '{}') as UploadJob).then(report => process.stdout.write(JSON.stringify(report)))

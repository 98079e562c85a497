import path from 'node:path'
import { Command } from 'commander'
import { ConfigError } from '../config/app-config.js'
import { readConfig } from '../config/read-config.js'
import { BackupError, type BackupManifest, backUp, checkBackup } from '../storage/embedded-backup.js'

const MEBIBYTE = 1_048_576
const TOLD_AT_MOST = 10

const command = new Command('npm run backup --')
  .description('Copies the embedded stores and keys of DATA_DIR, while a server uses them, into a new directory.')
  .option('--to <directory>', 'the new directory')
  .option('--check <directory>', 'only look whether a backup is whole and unchanged')
  .parse()

try {
  const { to, check } = command.opts<{ to?: string; check?: string }>()
  if (check !== undefined) tell('whole and unchanged', check, await checkBackup(path.resolve(check)))
  else if (to !== undefined) tell('backed up', to, await backUpTo(path.resolve(to)))
  else command.help({ error: true })
} catch (error) {
  const isExpected = error instanceof ConfigError || error instanceof BackupError
  process.stderr.write(`backup: ${isExpected ? error.message : String(error)}\n`)
  process.exitCode = isExpected ? error.exitCode : 1
}

async function backUpTo(to: string): Promise<BackupManifest> {
  const config = readConfig()
  return backUp(path.resolve(config.DATA_DIR), to, config.DISK_MIN_FREE)
}

function tell(what: string, directory: string, { files, videos, createdAt }: BackupManifest): void {
  const bytes = files.reduce((sum, file) => sum + file.bytes, videos?.bytes ?? 0)
  const size = `${(bytes / MEBIBYTE).toFixed(1)} MiB`
  const count = videos?.videos ? `${files.length} files and ${videos.videos} videos` : `${files.length} files`
  process.stdout.write(`${what}: ${directory}, ${count}, ${size}, as of ${createdAt}\n`)
  if (videos?.left.length) {
    const some = videos.left.slice(0, TOLD_AT_MOST).join(', ')
    process.stdout.write(`without ${videos.left.length} videos that were removed meanwhile or have no file: ${some}\n`)
  }
}

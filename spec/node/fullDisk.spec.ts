import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { built } from '../store/killed.ts'

const folder = mkdtempSync(join(tmpdir(), 'spillway-full-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** With a disk of a megabyte at `disk`, which nobody else sees. */
const onSmallDisk = (disk: string, command: string): { readonly status: number | null; readonly stdout: string } =>
  spawnSync('unshare', ['-Urm', 'sh', '-c', `mount -t tmpfs -o size=1m none ${disk} && ${command}`], {
    encoding: 'utf8',
  })

const disk = join(folder, 'disk')
mkdirSync(disk)
const mayMount = onSmallDisk(disk, 'true').status === 0

// Where no disk can be mounted, `spec/node/failingDisk.spec.ts` says the same of one that is made up.
test.skipIf(!mayMount)(
  'on a disk that is full the checkpoint fails with the remedy, leaves nothing, and the next one succeeds once there is room',
  async () => {
    const program = await built('spec/node/fullDisk.job.ts', folder)
    const lines = onSmallDisk(disk, `${process.execPath} ${program} ${disk}`).stdout.split('\n')
    expect(lines[0]).toMatch(
      /^failed .*\/checkpoints\/objects\/.*failed with "ENOSPC: .*Make room on the disk; the job goes on/,
    )
    expect(lines.slice(1)).toEqual(['left: 0', expect.stringMatching(/^completed/), 'done 100', ''])
  },
)

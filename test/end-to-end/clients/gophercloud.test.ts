import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { execa } from 'execa'
import { expect, test } from 'vitest'
import { GOPHERCLOUD_PROGRAM } from '../../../scripts/setup/gophercloud.ts'
import { locate } from '../../../scripts/setup/locate.ts'
import { expectClean } from '../../checker/check.ts'
import { restoreSha256 } from '../../checker/repository/restore.ts'
import { volumeSha256 } from '../../checker/volume-sha256.ts'
import { makeQcow2Image, makeRawImage } from '../../support/small-images.ts'
import { Installation } from '../installation.ts'
import { runSql } from '../run-sql.ts'
import { MiB, sha256OfVolume, until } from '../steps.ts'

const GiB = 1024 * MiB
const CONTENT = { sizeBytes: GiB, data: [{ offset: 7 * MiB, length: 4 * MiB, seed: 1 }] }
const PROGRAM = locate(GOPHERCLOUD_PROGRAM)

type Made = Record<
  'image' | 'type' | 'volume' | 'snapshot' | 'clone' | 'full' | 'incremental' | 'restored',
  string
>

test.skipIf(PROGRAM === undefined)(
  'A program on gophercloud makes an image, a type, volumes, a snapshot and backups, and removes them',
  { timeout: 1_800_000 },
  async () => {
    await using installation = await Installation.start({ config: { identity: { authType: 'own' } } })
    const { folder, dataFolder } = installation
    const run = (args: string[], input = '') =>
      execa(PROGRAM ?? '', args, {
        input,
        extendEnv: false,
        env: { OS_CLIENT_CONFIG_FILE: join(dataFolder, 'clouds.yaml'), OS_CLOUD: 'volflow' },
      })
    const image = join(folder, 'image.qcow2')
    const sha256 = await makeQcow2Image(image, CONTENT)
    const { stdout } = await run(['make', image])
    const made = JSON.parse(stdout) as Made

    expect(await sha256OfVolume(installation, made.volume)).toBe(sha256)
    expect(await volumeSha256(installation.snapshotFolder(made.volume, made.snapshot))).toBe(sha256)
    expect(await sha256OfVolume(installation, made.restored)).toBe(sha256)
    const largerSha256 = await makeRawImage(join(folder, 'larger.raw'), { ...CONTENT, sizeBytes: 2 * GiB })
    expect(await sha256OfVolume(installation, made.clone)).toBe(largerSha256)
    const { targets, backupKeyFile } = installation.checked()
    const { local: target } = targets
    if (target === undefined) throw new Error('Expected the target local')
    for (const backupId of [made.full, made.incremental])
      expect(await restoreSha256({ target, backupKeyFile, domain: 'default', backupId })).toBe(sha256)
    const value = (text: string, id: string) => runSql(installation, text, [id])
    expect(value('select volume_type as value from volumes where id = ?', made.volume)).toEqual([
      { value: 'gopher-2' },
    ])
    expect(value('select parent_id as value from backups where id = ?', made.incremental)).toEqual([
      { value: made.full },
    ])
    await expectClean(installation.checked())

    await run(['remove'], stdout)
    // An image is not there any more, for its user, while its bytes are being removed.
    const isEmpty = (table: string) => runSql(installation, `select id as value from ${table}`).length === 0
    await until(
      'nothing is left',
      () => ['volumes', 'snapshots', 'backups', 'images'].every(isEmpty),
      120_000,
      100,
    )
    expect(value('select name as value from volume_types where id = ?', made.type)).toEqual([])
    expect(existsSync(installation.volumeFolder(made.volume))).toBe(false)
    await expectClean(installation.checked())
  },
)

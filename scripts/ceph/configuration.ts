/** The files of a one-node cluster: what its daemons read, and what clients are given. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { GiB, MiB } from '../../domain/sizes.ts'

export interface ClusterFiles {
  readonly fsid: string
  readonly monAddress: string
  /** Of the daemons. */
  readonly conf: string
  readonly adminKeyring: string
  readonly monKeyring: string
  readonly folderOf: (daemon: 'mon' | 'mgr' | 'osd') => string
  /** Of clients: no keyring, no path of a daemon. */
  readonly clientConf: string
  readonly clientKeyring: string
}

const OSD_MEMORY_BYTES = GiB
const WAL_BYTES = 128 * MiB

export async function writeClusterFiles(
  folder: string,
  cluster: { readonly fsid: string; readonly port: number; readonly deviceBytes: number },
): Promise<ClusterFiles> {
  const folderOf = (daemon: 'mon' | 'mgr' | 'osd') => join(folder, daemon)
  for (const daemon of ['mon', 'mgr', 'osd'] as const) await mkdir(folderOf(daemon), { recursive: true })
  const files = {
    fsid: cluster.fsid,
    monAddress: `v2:127.0.0.1:${cluster.port}`,
    conf: join(folder, 'ceph.conf'),
    adminKeyring: join(folder, 'admin.keyring'),
    monKeyring: join(folder, 'mon.keyring'),
    folderOf,
    clientConf: join(folder, 'client.conf'),
    clientKeyring: join(folder, 'client.keyring'),
  }
  const common = [
    '[global]',
    `fsid = ${files.fsid}`,
    `mon host = ${files.monAddress}`,
    'auth cluster required = cephx',
    'auth service required = cephx',
    'auth client required = cephx',
  ]
  await writeFile(files.conf, `${[...common, ...daemonSettings(folder, files, cluster)].join('\n')}\n`)
  await writeFile(files.clientConf, `${common.join('\n')}\n`)
  return files
}

function daemonSettings(folder: string, files: ClusterFiles, { deviceBytes }: { deviceBytes: number }) {
  return [
    'public network = 127.0.0.0/8',
    `run dir = ${folder}`,
    `log file = ${folder}/$name.log`,
    `pid file = ${folder}/$name.pid`,
    `admin socket = ${folder}/$name.asok`,
    `keyring = ${files.adminKeyring}`,
    'osd pool default size = 1',
    'osd pool default min size = 1',
    'osd crush chooseleaf type = 0',
    'osd pool default pg autoscale mode = off',
    'mon allow pool size one = true',
    'mon allow pool delete = true',
    'mon warn on pool no redundancy = false',
    'auth allow insecure global id reclaim = false',
    // Free space of this machine's disk is not what is tested.
    'mon data avail warn = 1',
    'mon data avail crit = 1',
    'osd objectstore = bluestore',
    `bluestore block size = ${deviceBytes}`,
    `bluestore block wal size = ${WAL_BYTES}`,
    `osd memory target = ${OSD_MEMORY_BYTES}`,
    'mgr initial modules =',
    '[mon]',
    `keyring = ${files.monKeyring}`,
    '[mgr]',
    `keyring = ${files.folderOf('mgr')}/keyring`,
    '[osd]',
    `keyring = ${files.folderOf('osd')}/keyring`,
  ]
}

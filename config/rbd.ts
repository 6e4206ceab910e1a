import { z } from 'zod'

/** Of pools, namespaces and users, which become parts of specifications (`pool/namespace/image@snapshot`). */
const cephName = z
  .string()
  .regex(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$/, 'letters, digits, dots, dashes and underscores')

/** A pool of a Ceph cluster, for images or volumes. docs/rbd.md explains all of it. */
export const rbdPool = {
  driver: z.literal('rbd'),
  pool: cephName,
  namespace: cephName.optional(),
  /** Without `client.` before it. */
  user: cephName,
  confFile: z.string().default('/etc/ceph/ceph.conf'),
  /** Readable by its owner alone. Left out: where the configuration file says. */
  keyringFile: z.string().optional(),
  /** Of new images; all of Ceph's usual ones unless told. Without `layering` there are no clones. */
  features: z
    .array(
      z.enum([
        'layering',
        'striping',
        'exclusive-lock',
        'object-map',
        'fast-diff',
        'deep-flatten',
        'journaling',
      ]),
    )
    .refine((features) => features.includes('layering'), 'layering among them')
    .optional(),
  /** Where data is kept while the names are in `pool`: an erasure-coded one. */
  dataPool: cephName.optional(),
}

/** Of backups: they are snapshots of images that nobody clones. */
const { features: _, ...rbdBackupPool } = rbdPool
export { rbdBackupPool }

export const rbdBackend = {
  ...rbdPool,
  /** So many images may lie under a clone; a deeper one is copied instead. */
  cloneDepthMax: z.int().min(1).max(16).optional(),
  /** Under which libvirt has the user's key: the default is the cluster's id. */
  secretUuid: z.guid().optional(),
  /** A folder with the QMP socket of each guest that may use volumes of this backend: `<guest>.sock`. */
  guestSockets: z.string().optional(),
}

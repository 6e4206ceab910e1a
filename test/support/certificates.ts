import { join } from 'node:path'
import { runProcess } from '../../block-io/process.ts'

/** An authority (`ca.pem`), and what it signed: `server.pem` for a name and `client.pem`, with their keys. */
export async function makeCertificates(folder: string, serverName: string): Promise<void> {
  const openssl = (...args: readonly string[]) => runProcess('openssl', args)
  const path = (name: string) => join(folder, name)
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
  await openssl(
    'req',
    '-x509',
    ...key,
    '-subj',
    '/CN=authority',
    '-keyout',
    path('ca.key'),
    '-out',
    path('ca.pem'),
  )
  for (const [name, subject] of [
    ['server', serverName],
    ['client', 'volflow'],
  ] as const) {
    const signed = ['-x509', ...key, '-CA', path('ca.pem'), '-CAkey', path('ca.key')]
    const names = ['-subj', `/CN=${subject}`, '-addext', `subjectAltName=DNS:${subject}`]
    await openssl(
      'req',
      ...signed,
      ...names,
      '-addext',
      'basicConstraints=critical,CA:FALSE',
      '-keyout',
      path(`${name}.key`),
      '-out',
      path(`${name}.pem`),
    )
  }
}

import type { Component } from './component.ts'
import { goInstall, goRemedy } from './go.ts'
import { locate } from './locate.ts'

/** S3 over a directory: maintained, and what the demo backs up to. */
export const versitygw = goProgram(
  'VersityGW',
  'versitygw',
  'github.com/versity/versitygw/cmd/versitygw@v1.8.0',
)

/** Archived, but still what many clouds run: the tests must pass on it. */
export const minio = goProgram('MinIO', 'minio', 'github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c')

function goProgram(title: string, program: string, packageAtVersion: string): Component {
  return {
    title,
    remedy: goRemedy(packageAtVersion),
    isPresent: () => locate(program) !== undefined,
    install: () => goInstall(packageAtVersion, program),
  }
}

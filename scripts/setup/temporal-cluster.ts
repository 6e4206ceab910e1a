import type { Component } from './component.ts'
import { goInstall, goRemedy } from './go.ts'
import { locate } from './locate.ts'

/** The server of docker-compose.yml, built from its source: minutes, so only the test of that file asks for it. */
const SERVER = 'go.temporal.io/server/cmd/server@v1.32.0'
const SQL_TOOL = 'go.temporal.io/server/cmd/tools/sql@v1.32.0'
const WEB_UI = 'github.com/temporalio/ui-server/v2/cmd/server@v2.54.1'

export const temporalServer = program('the Temporal server for PostgreSQL', 'temporal-server', SERVER)
export const temporalSqlTool = program("Temporal's schema tool", 'temporal-sql-tool', SQL_TOOL)
export const temporalWebUi = program("Temporal's Web UI", 'temporal-ui-server', WEB_UI)

/** The packages are called `server` and `sql`; the programs get the names that they have in the images. */
function program(title: string, name: string, packageAtVersion: string): Component {
  return {
    title,
    remedy: `${goRemedy(packageAtVersion)}, and call it ${name}`,
    isPresent: () => locate(name) !== undefined,
    install: () => goInstall(packageAtVersion, name),
  }
}

import type { App } from './context.ts'
import type { OpenApiDocument } from './openapi.ts'

/** `/docs`: a list of what there is, without scripts or anything from elsewhere; `/docs/openapi.json` has the rest. */
export function docsRoutes(app: App): void {
  const document = () => app.swagger() as unknown as OpenApiDocument
  app.get('/docs/openapi.json', { schema: { hide: true } }, async () => document())
  app.get('/docs', { schema: { hide: true } }, async (_request, reply) => {
    void reply.header('content-security-policy', "default-src 'none'; style-src 'unsafe-inline'")
    return reply.type('text/html; charset=utf-8').send(page(document()))
  })
}

function page({ paths }: OpenApiDocument): string {
  const rows = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(
      ([method, { summary }]) =>
        `<tr><td>${method.toUpperCase()}</td><td><code>${path}</code></td><td>${summary ?? ''}</td></tr>`,
    ),
  )
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>volflow API</title>
<style>body{font:16px/1.5 system-ui;margin:2rem auto;max-width:60rem;padding:0 1rem}td{padding:.2rem 1rem .2rem 0}</style>
<h1>volflow API</h1>
<p>The whole description: <a href="/docs/openapi.json">openapi.json</a> (OpenAPI 3.1).</p>
<table>
${rows.join('\n')}
</table>
</html>
`
}

import type { HttpRequest } from './http.ts'

export interface IdentityRecord {
  readonly id: string
  readonly name: string
  readonly description?: string
  readonly enabled?: boolean
  readonly domain_id?: string | null
  readonly default_project_id?: string
}

export interface RoleAssignment {
  readonly user: { readonly id: string; readonly name?: string }
  readonly role: { readonly id: string; readonly name?: string }
  readonly scope: { readonly project?: { readonly id: string; readonly name?: string } }
}

export type RecordNoun = 'user' | 'project' | 'role'

interface Grant {
  readonly userId: string
  readonly projectId: string
  readonly roleId: string
}

/** `client.identity`: users, projects and roles of our own Keystone, as its API shows them. */
export class IdentityClient {
  readonly #send: (request: HttpRequest) => Promise<Response>

  constructor(send: (request: HttpRequest) => Promise<Response>) {
    this.#send = send
  }

  async list(noun: RecordNoun, filter: { name?: string } = {}): Promise<IdentityRecord[]> {
    const answer = await this.#json<Record<string, IdentityRecord[]>>('GET', `/${noun}s`, { query: filter })
    return answer[`${noun}s`] ?? []
  }

  async create(noun: RecordNoun, fields: Record<string, unknown>): Promise<IdentityRecord> {
    return this.#one(noun, await this.#json('POST', `/${noun}s`, { json: { [noun]: fields } }))
  }

  async update(noun: RecordNoun, id: string, fields: Record<string, unknown>): Promise<IdentityRecord> {
    const path = `/${noun}s/${encodeURIComponent(id)}`
    return this.#one(noun, await this.#json('PATCH', path, { json: { [noun]: fields } }))
  }

  async delete(noun: RecordNoun, id: string): Promise<void> {
    await this.#request('DELETE', `/${noun}s/${encodeURIComponent(id)}`)
  }

  async assignments(filter: { userId?: string; projectId?: string } = {}): Promise<RoleAssignment[]> {
    const query = { include_names: 'true', 'user.id': filter.userId, 'scope.project.id': filter.projectId }
    const answer = await this.#json<{ role_assignments: RoleAssignment[] }>('GET', '/role_assignments', {
      query,
    })
    return answer.role_assignments
  }

  async assign(grant: Grant): Promise<void> {
    await this.#request('PUT', grantPath(grant))
  }

  async unassign(grant: Grant): Promise<void> {
    await this.#request('DELETE', grantPath(grant))
  }

  #one(noun: RecordNoun, answer: Record<string, IdentityRecord>): IdentityRecord {
    const record = answer[noun]
    if (record === undefined) throw new Error(`Expected a ${noun} in the answer`)
    return record
  }

  async #json<T>(
    method: HttpRequest['method'],
    path: string,
    more: Pick<HttpRequest, 'json' | 'query'> = {},
  ): Promise<T> {
    return (await (await this.#request(method, path, more)).json()) as T
  }

  #request(
    method: HttpRequest['method'],
    path: string,
    more: Pick<HttpRequest, 'json' | 'query'> = {},
  ): Promise<Response> {
    return this.#send({ method, path, prefix: '/identity/v3', ...more })
  }
}

function grantPath({ userId, projectId, roleId }: Grant): string {
  const [project, user, role] = [projectId, userId, roleId].map(encodeURIComponent)
  return `/projects/${project}/users/${user}/roles/${role}`
}

import { inject } from 'vitest'

/**
 * Address (`127.0.0.1:PORT`) of the one Temporal server of this test run, with the namespace `default`. Tests share it: use task
 * queues and workflow ids of your own, and never stop it.
 */
export async function sharedTemporal(): Promise<string> {
  const response = await fetch(inject('temporalBrokerUrl'))
  const text = await response.text()
  if (!response.ok) throw new Error(text)
  return text
}

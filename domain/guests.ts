/** Names of guests are chosen by users and become names of sockets. */
export const GUEST_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/

export function isGuestName(name: string): boolean {
  return GUEST_NAME.test(name)
}

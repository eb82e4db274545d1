/** Where agents let others in, as it stands in URLs. */

/** An address of IPv6 stands in brackets. */
export function hostInUrl(host: string): string {
  return host.includes(':') ? `[${host}]` : host
}

export function originOf({ host, port }: { readonly host: string; readonly port: number }): string {
  return `https://${hostInUrl(host)}:${port}`
}

/** An address that means "this machine", whoever reads it. */
export function isLoopback(host: string): boolean {
  return /^(127\.|\[?::1\]?$|localhost$)/.test(host)
}

/**
 * Which web pages may use the gateway. A gateway without keys on loopback is open to every program
 * of this machine, and that must not mean to every web site that its browser visits.
 */
import type { GatewayConfig } from '#core/config/gateway.ts'

/** Pages of this machine and desktop programs that are web pages inside. */
const ownOrigins =
  /^(https?:\/\/(localhost|127(\.\d+){3}|\[::1\])(:\d+)?|(app|file|tauri|vscode-webview):\/\/.*)$/i

export function allowedOrigin(
  origin: string,
  config: Pick<GatewayConfig, 'origins'>,
  host: string | undefined,
): boolean {
  return (
    config.origins.includes('*') ||
    config.origins.includes(origin) ||
    ownOrigins.test(origin) ||
    // The gateway's own pages, under whatever name this client knows it. A name that somebody
    // else points here (DNS rebinding) sends that name as host too, but not as an address.
    (host !== undefined && origin === `http://${host}` && /^[\d.:[\]a-fA-F]+$/.test(host))
  )
}

/**
 * Whether a page under this host name may read a gateway without keys. A name that somebody else
 * points at this machine (DNS rebinding) makes its pages same-origin: no Origin header tells them.
 * Such a name is a public one; names without a dot and those of local networks are not.
 */
export function trustedHost(host: string, config: Pick<GatewayConfig, 'origins'>): boolean {
  const name = host.replace(/:\d+$/, '').toLowerCase()
  return (
    !name.includes('.') ||
    /^[\d.]+$|^\[.*\]$/.test(name) ||
    /\.(localhost|local|lan|home|internal|home\.arpa)$/.test(name) ||
    config.origins.some((origin) => origin === '*' || origin.endsWith(`://${host}`))
  )
}

/** `asked` are the header names that a preflight asks for; of an origin that may come, all may. */
export function corsHeaders(
  origin: string,
  asked: string | undefined,
): readonly (readonly [string, string])[] {
  return [
    ['access-control-allow-origin', origin],
    ['vary', 'Origin, Access-Control-Request-Headers'],
    ['access-control-allow-methods', 'GET, HEAD, POST, OPTIONS'],
    ['access-control-allow-headers', asked ?? 'authorization, content-type, x-api-key'],
    [
      'access-control-expose-headers',
      'x-request-id, x-motley-endpoint, x-motley-attempts, x-motley-queue-ms, x-motley-model, retry-after',
    ],
    ['access-control-max-age', '600'],
  ]
}

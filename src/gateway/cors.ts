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

export function corsHeaders(origin: string): readonly (readonly [string, string])[] {
  return [
    ['access-control-allow-origin', origin],
    ['vary', 'Origin'],
    ['access-control-allow-methods', 'GET, HEAD, POST, OPTIONS'],
    [
      'access-control-allow-headers',
      'authorization, content-type, x-api-key, x-request-id, x-stainless-arch, x-stainless-lang, x-stainless-os, x-stainless-package-version, x-stainless-retry-count, x-stainless-runtime, x-stainless-runtime-version, x-stainless-timeout',
    ],
    [
      'access-control-expose-headers',
      'x-request-id, x-motley-endpoint, x-motley-attempts, x-motley-queue-ms, x-motley-model, retry-after',
    ],
    ['access-control-max-age', '600'],
  ]
}

/** The key that a request presents: as a bearer token, in x-api-key, or as a Basic password. */
import type { IncomingHttpHeaders } from 'node:http'

/** Null when it presents none. Browsers that look at /stats send Basic, any user name. */
export function presentedKey(headers: IncomingHttpHeaders): string | null {
  const authorization = headers.authorization
  if (authorization !== undefined) {
    const [scheme, value] = authorization.split(/ +/, 2)
    if (value !== undefined && /^bearer$/i.test(scheme ?? '')) return value
    if (value !== undefined && /^basic$/i.test(scheme ?? '')) {
      const pair = Buffer.from(value, 'base64').toString('utf8')
      return pair.slice(pair.indexOf(':') + 1)
    }
    return null
  }
  const apiKey = headers['x-api-key'] ?? headers['api-key']
  return typeof apiKey === 'string' ? apiKey : null
}

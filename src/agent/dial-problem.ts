/**
 * What seems wrong with an address at which no controller answers, in a few words. `error` is null
 * where the other side ended the connection without one.
 */
export function dialProblem(error: NodeJS.ErrnoException | null): string {
  if (error === null) return notMotley
  switch (error.code) {
    case 'ECONNREFUSED':
      return 'nothing listens there'
    case 'ENOTFOUND':
      return 'there is no machine of that name'
    case 'EAI_AGAIN':
      return 'names cannot be looked up just now'
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return 'no network leads there'
    case 'ETIMEDOUT':
      return 'nobody answers there'
    case 'ECONNRESET':
    case 'EPROTO':
      return notMotley
    default:
      return error.code?.startsWith('ERR_SSL_') === true ? notMotley : (error.code ?? error.message)
  }
}

const notMotley =
  'what listens there is no Motley controller; its port for agents is 7071 by default'

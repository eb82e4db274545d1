/** What went wrong with a connection, without addresses that say nothing to its owner. */
export function connectionFailure(error: Error): string {
  const code = (error as NodeJS.ErrnoException).code
  switch (code) {
    case 'ECONNREFUSED':
      return 'refused the connection'
    case 'ECONNRESET':
    case 'EPIPE':
    case 'UND_ERR_SOCKET':
      return 'closed the connection before its answer was whole'
    case 'UND_ERR_CONNECT_TIMEOUT':
    case 'ETIMEDOUT':
      return 'did not accept a connection in time'
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'has a host name that cannot be resolved'
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return 'cannot be reached over the network'
    default:
      return `broke the connection (${code ?? error.message})`
  }
}

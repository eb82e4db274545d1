/** A server cannot listen where it should: who is in the way, and what to do. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { createServer } from 'node:net'
import { CommandFailure } from '#cli/command-failure.ts'

/** How a person asks for another address or port. */
export interface ListenWords {
  /** The option, with what starts the command where that is not `motley`: "--listen 127.0.0.1:1". */
  readonly option: (host: string, port: number) => string
}

/** `npm start` needs two dashes before it hands an option on. */
export const listenOption: ListenWords = {
  option: (host, port) => {
    const prefix = process.env['npm_lifecycle_event'] === 'start' ? 'npm start -- ' : ''
    return `${prefix}--listen ${host}:${port}`
  },
}

/**
 * Rejects with the failure that listening there would end in. Asked before engines are started:
 * the gateway itself listens last, when it knows where they are.
 */
export async function checkListen(listen: string): Promise<void> {
  const { host, port } = hostAndPort(listen)
  const server = createServer()
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(listenFailure(error, listen)))
    server.listen(port, host.replace(/^\[|\]$/g, ''), () => server.close(() => resolve()))
  })
}

/** Turns the error of a listening socket into one sentence; other errors come back as they are. */
export function listenFailure(error: unknown, listen: string, words = listenOption): unknown {
  const { code } = error as NodeJS.ErrnoException
  const { host, port } = hostAndPort(listen)
  const sentence = () => {
    switch (code) {
      case 'EADDRINUSE': {
        const holder = portHolder(port)
        return `port ${port} is taken${holder === null ? '' : ` by ${holder}`}: stop what listens there, or take another port, as ${words.option(host, anotherPort(port))}, or any free one with ${words.option(host, 0)}`
      }
      case 'EACCES':
        return `this user may not listen on port ${port}: take one above 1023, as ${words.option(host, 7070)}`
      case 'EADDRNOTAVAIL':
        return `this machine has no address ${host}: listen on 127.0.0.1, or on 0.0.0.0 for all addresses`
      case 'ENOTFOUND':
      case 'EAI_AGAIN':
        return `"${host}" in ${words.option(host, port)} is not known as a name of this machine: write an address`
      default:
        return null
    }
  }
  const text = sentence()
  return text === null ? error : new CommandFailure('unreachable', text, { cause: error })
}

/** The usual ports of gateway, controller and agents: who moves one away does not want another. */
const ownPorts: ReadonlySet<number> = new Set([7070, 7071, 7073])

function anotherPort(port: number): number {
  const step = port < 65_000 ? 1 : -1
  let other = port + step
  while (ownPorts.has(other) || listeners(other).length > 0) other += step
  return other
}

function hostAndPort(listen: string): { readonly host: string; readonly port: number } {
  const colon = listen.lastIndexOf(':')
  return { host: listen.slice(0, colon), port: Number(listen.slice(colon + 1)) }
}

/** The command and process id that listens on a port, where /proc tells this user. */
function portHolder(port: number): string | null {
  const inodes = new Set(listeners(port))
  if (inodes.size === 0) return null
  for (const pid of listOf('/proc').filter((name) => /^\d+$/.test(name))) {
    const folder = `/proc/${pid}/fd`
    if (listOf(folder).some((fd) => inodes.has(linkOf(`${folder}/${fd}`)))) {
      const words = textOf(`/proc/${pid}/cmdline`).split('\0').filter(Boolean)
      const command = words.length === 0 ? 'a process' : `"${shortCommand(words)}"`
      return `${command} (pid ${pid})`
    }
  }
  return null
}

/** The sockets that listen there, where /proc tells; else none. */
function listeners(port: number): readonly string[] {
  return [...listeningInodes('/proc/net/tcp', port), ...listeningInodes('/proc/net/tcp6', port)]
}

/** The program without its folder, and as much of the rest as fits into a sentence. */
function shortCommand(words: readonly string[]): string {
  const [program = '', ...rest] = words
  const text = [program.slice(program.lastIndexOf('/') + 1), ...rest].join(' ')
  return text.length > 60 ? `${text.slice(0, 59)}…` : text
}

/** `socket:[inode]` of each listening socket on the port, from the kernel's table. */
function listeningInodes(table: string, port: number): string[] {
  const listening = '0A'
  return textOf(table)
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((cells) => {
      const [, local = '', , state] = cells
      return state === listening && Number.parseInt(local.split(':')[1] ?? '', 16) === port
    })
    .map((cells) => `socket:[${cells[9]}]`)
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

function listOf(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

function linkOf(file: string): string {
  try {
    return readlinkSync(file)
  } catch {
    return ''
  }
}

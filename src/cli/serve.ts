/**
 * Runs a gateway and the watcher of its endpoints in this process, until a signal ends it:
 * `motley gateway`, and the heart of `motley up`.
 */
import { closeSync, openSync } from 'node:fs'
import { resolve } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { type EndpointWatcher, watchEndpoints } from '#agent/endpoint-watcher.ts'
import { CommandFailure } from '#cli/command-failure.ts'
import { ConfigError } from '#cli/config-error.ts'
import { type ConfigRequest, findConfigFile, readConfig } from '#cli/config-file.ts'
import { configRemarks } from '#cli/config-remarks.ts'
import { type ConfigWatch, watchConfigFile } from '#cli/config-watch.ts'
import type { ControllerPart } from '#cli/controller-part.ts'
import { EndpointNews } from '#cli/endpoint-news.ts'
import { listenFailure } from '#cli/listen-failure.ts'
import { openRoutingScript } from '#cli/routing-script.ts'
import { sameWishMs } from '#cli/stop-signals.ts'
import { logLine } from '#cli/terminal.ts'
import type { MotleyConfig } from '#core/config/document.ts'
import { type EndpointConfig, endpointName } from '#core/config/endpoints.ts'
import { endpointId } from '#core/ids.ts'
import { motleyVersion } from '#embedded/motley-version.ts'
import { formFields } from '#engines/index.ts'
import { AccessLogError } from '#gateway/access-log.ts'
import { type Gateway, startGateway } from '#gateway/gateway.ts'
import type { RouteScript } from '#gateway/script/route-script.ts'

export interface ServeOptions {
  readonly request: ConfigRequest
  readonly config: MotleyConfig
  /** Endpoints that this command starts itself, beside those of the configuration. */
  readonly ownEndpoints: readonly EndpointConfig[]
  /** The controller beside this gateway; null for none. */
  readonly controllerPart?: ControllerPart | null
  /** Called at the first wish to stop, while answers may still run. */
  readonly onStopping?: () => void
}

export interface Serving {
  readonly url: string
  /** Resolves after a signal, when running answers are over or may take no longer. */
  readonly stopped: Promise<void>
}

/**
 * What this command has started answers its first check within milliseconds, and then the first
 * request can be answered. One that hangs does not keep the others from being offered.
 */
const firstReportMsMax = 1_000

export async function serve(options: ServeOptions): Promise<Serving> {
  const { ownEndpoints } = options
  const file = findConfigFile(options.request)
  // The file that was read is the one to read again: if it is gone, that is no empty configuration.
  const request = file === null ? options.request : { ...options.request, path: file }
  const withOwn = (config: MotleyConfig): MotleyConfig => {
    const written = [...config.endpoints, ...ownEndpoints]
    const models = options.controllerPart?.models(config) ?? config.models
    const endpoints = [...written, ...ofFleet(options.controllerPart, written)]
    return { ...config, models, endpoints }
  }
  const config = withOwn(options.config)
  surviveLostReaders()

  let script = await openRoutingScript(config, request)
  let checkNow: EndpointWatcher['checkNow'] = () => {}
  let gateway: Gateway
  try {
    gateway = await startGateway({
      config,
      log: logLine,
      version: motleyVersion,
      onSuspect: (endpoint) => checkNow(endpoint),
      admin: options.controllerPart?.admin,
      replicaAlarms: options.controllerPart?.alarms,
      formFields,
      sleepers: options.controllerPart?.sleepers,
    })
  } catch (error) {
    await script?.close()
    if (error instanceof AccessLogError) throw new CommandFailure('wrong', error.message)
    throw listenFailure(error, config.gateway.listen)
  }
  gateway.useScript(script)
  tellRemarks(options.config, file)
  options.controllerPart?.listenTo(gateway)
  const news = new EndpointNews()
  const unheard = new Set(ownEndpoints.map((endpoint) => endpointId(endpointName(endpoint))))
  const { promise: allHeard, resolve: noteAllHeard } = Promise.withResolvers<void>()
  const watcher = watchEndpoints({
    endpoints: config.endpoints,
    report(report) {
      gateway.report(report)
      // Counting is only worth it where it matters: a fleet is checked all the time.
      const silent = report.check.verdict === 'silent'
      const inFlight = silent ? gateway.vitals.inFlightByEndpoint[report.endpoint] : 0
      const line = news.note(report, inFlight ?? 0)
      if (line !== null) logLine(line)
      if (unheard.delete(report.endpoint) && unheard.size === 0) noteAllHeard()
    },
  })
  checkNow = (endpoint) => watcher.checkNow(endpoint)

  const update = (endpoints: readonly EndpointConfig[]) => {
    watcher.update(endpoints)
    news.keepOnly(new Set(endpoints.map((endpoint) => endpointId(endpointName(endpoint)))))
  }
  let fromFile = options.config
  const reloadOnce = async (): Promise<void> => {
    const read = await reloadConfig(request, withOwn, gateway, update)
    if (read === null) return
    fromFile = read.config
    options.controllerPart?.configure(read.config)
    const before = script
    script = read.script
    gateway.useScript(script)
    // A request that it was asked about must not go by rules alone because a file was saved.
    await before?.retire()
    scriptWatch?.close()
    scriptWatch = watchScript(read.config, reload)
  }
  // One after the other: two changes of a file may come faster than a script starts.
  let reloading = Promise.resolve()
  const reload = (): void => {
    reloading = reloading.then(reloadOnce)
  }
  // Replicas and models come and go without anybody writing them into a file.
  let knownFleet = ''
  options.controllerPart?.controller.onEndpointsChanged(() => {
    const { controllerPart } = options
    const fleet = JSON.stringify([controllerPart?.endpoints(), controllerPart?.models(fromFile)])
    if (fleet === knownFleet) return
    knownFleet = fleet
    const next = withOwn(fromFile)
    if (gateway.reload(next).applied) update(next.endpoints)
  })
  let scriptWatch = watchScript(options.config, reload)
  const fileWatch =
    file === null
      ? null
      : watchConfigFile(resolve(request.cwd, file), reload, ({ message }) =>
          logLine(`${file} is not watched (${message}): send SIGHUP after a change`),
        )

  const stopped = untilSignal(reload, options, gateway).then(async () => {
    fileWatch?.close()
    scriptWatch?.close()
    watcher.close()
    await gateway.close()
    await script?.close()
    await options.controllerPart?.close()
  })
  if (unheard.size > 0) {
    await Promise.race([allHeard, setTimeout(firstReportMsMax, undefined, { ref: false })])
  }
  return { url: gateway.url, stopped }
}

/** What is in the configuration keeps its name. */
function ofFleet(
  part: ControllerPart | null | undefined,
  written: readonly EndpointConfig[],
): EndpointConfig[] {
  const taken = new Set(written.map(endpointName))
  const all = part?.endpoints() ?? []
  for (const name of all.map(endpointName).filter((one) => taken.has(one))) {
    logLine(`endpoint ${name} of the fleet is left out: the configuration has one of that name`)
  }
  return all.filter((endpoint) => !taken.has(endpointName(endpoint)))
}

function watchScript({ routing }: MotleyConfig, reload: () => void): ConfigWatch | null {
  const { script } = routing
  if (script === undefined) return null
  return watchConfigFile(script, reload, ({ message }) =>
    logLine(`${script} is not watched (${message}): send SIGHUP after a change`),
  )
}

/**
 * All or nothing: the new configuration is used as a whole and returned, or the old one stays and
 * null is.
 */
async function reloadConfig(
  request: ConfigRequest,
  withOwn: (config: MotleyConfig) => MotleyConfig,
  gateway: Gateway,
  update: EndpointWatcher['update'],
): Promise<{ readonly config: MotleyConfig; readonly script: RouteScript | null } | null> {
  const file = findConfigFile(request)
  const source = file ?? 'the configuration'
  let read: MotleyConfig
  let script: RouteScript | null
  try {
    read = readConfig(request)
    script = await openRoutingScript(read, request)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    const [problem, ...more] = error.problems
    const line = problem?.line == null ? '' : `line ${problem.line}: `
    const first = problem === undefined ? error.message : `${line}${problem.text}`
    gateway.noteConfig({ source, first, more: more.length })
    logLine(`${error.message}\nconfiguration not changed: everything stays as it was`)
    return null
  }
  const config = withOwn(read)
  const outcome = gateway.reload(config)
  if (!outcome.applied) {
    gateway.noteConfig({ source, first: outcome.reason, more: 0 })
    logLine(`configuration not changed: ${outcome.reason}; everything stays as it was`)
    await script?.close()
    return null
  }
  gateway.noteConfig(null)
  update(config.endpoints)
  tellRemarks(read, file)
  logLine(`configuration read again${file === null ? '' : ` from ${file}`}`)
  for (const note of outcome.notes) logLine(`  ${note}`)
  return { config: read, script }
}

/** What is no mistake and was hardly meant. */
function tellRemarks(config: MotleyConfig, file: string | null): void {
  const where = file === null ? '' : `${file}: `
  for (const remark of configRemarks(config)) logLine(`${where}${remark}`)
}

/** Until SIGINT or SIGTERM, and then until running answers are over or a second signal comes. */
function untilSignal(
  reload: () => void,
  { config, onStopping }: ServeOptions,
  gateway: Gateway,
): Promise<void> {
  return new Promise((resolveStopped) => {
    let firstAtMs: number | null = null
    const stop = () => {
      if (firstAtMs === null) {
        firstAtMs = performance.now()
        logLine(stoppingText(gateway.vitals.inFlight, config.gateway))
        onStopping?.()
        gateway.drain().then(resolveStopped, resolveStopped)
      } else if (performance.now() - firstAtMs > sameWishMs) {
        resolveStopped()
      }
    }
    process.on('SIGINT', stop)
    process.on('SIGTERM', stop)
    const hadTerminal = process.stdin.isTTY
    process.on('SIGHUP', () => {
      // The same signal says "read your files again" and "your terminal was closed".
      if (hadTerminal && !terminalIsThere()) stop()
      else reload()
    })
  })
}

function stoppingText(running: number, { lameDuckMs, drainMs }: MotleyConfig['gateway']): string {
  if (lameDuckMs > 0) {
    return `stopping: not ready, and still answering for ${lameDuckMs / 1000} s; once more stops at once`
  }
  if (running === 0) return 'stopping'
  const answers = running === 1 ? '1 running answer has' : `${running} running answers have`
  return `stopping: ${answers} ${drainMs / 1000} s; once more stops at once`
}

function terminalIsThere(): boolean {
  try {
    closeSync(openSync('/dev/tty', 'r'))
    return true
  } catch {
    return false
  }
}

/** Whoever read the output may go away, as `| head` does; the gateway serves on. */
function surviveLostReaders(): void {
  process.stdout.removeAllListeners('error').on('error', () => {})
  process.stderr.on('error', () => {})
}

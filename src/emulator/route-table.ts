import type { Task } from '#core/task.ts'
import { type Dialect, type Route, taskRoutes, usualPaths } from '#emulator/dialect.ts'

export type Found =
  | { readonly kind: 'route'; readonly route: Route; readonly rest: string }
  | { readonly kind: 'wrong-method'; readonly allow: string }
  | { readonly kind: 'unknown' }

/** The routes of a dialect and of extra tasks, found by method and path. */
export class RouteTable {
  readonly #exact = new Map<string, Route>()
  readonly #prefixes: readonly Route[]

  constructor(dialect: Dialect, extraTasks: readonly Task[]) {
    const usual: Readonly<Partial<Record<Task, readonly string[]>>> = usualPaths
    const extra = extraTasks.flatMap((task) => taskRoutes({ [task]: usual[task] ?? [] }))
    const routes = [...dialect.routes, ...extra]
    for (const route of routes) {
      if (!route.path.endsWith('*')) this.#exact.set(`${methodOf(route)} ${route.path}`, route)
    }
    this.#prefixes = routes.filter((route) => route.path.endsWith('*'))
  }

  find(method: string, path: string): Found {
    // A HEAD is a GET whose body stays at home.
    const asked = method === 'HEAD' ? 'GET' : method
    const exact = this.#exact.get(`${asked} ${path}`)
    if (exact !== undefined) return { kind: 'route', route: exact, rest: '' }
    for (const route of this.#prefixes) {
      const prefix = route.path.slice(0, -1)
      if (methodOf(route) === asked && path.startsWith(prefix)) {
        return { kind: 'route', route, rest: path.slice(prefix.length) }
      }
    }
    const other = asked === 'GET' ? 'POST' : 'GET'
    return this.#exact.has(`${other} ${path}`)
      ? { kind: 'wrong-method', allow: other }
      : { kind: 'unknown' }
  }
}

function methodOf(route: Route): string {
  return route.kind === 'task' ? 'POST' : route.method
}

/** Whether a path is one of those that need no key. */
export function isPublicPath(dialect: Dialect, path: string): boolean {
  return dialect.publicPaths.some((open) =>
    open.endsWith('*') ? path.startsWith(open.slice(0, -1)) : path === open,
  )
}

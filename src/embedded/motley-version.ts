import { readFileSync } from 'node:fs'

/** The version of the package this file belongs to; `src/` and `dist/` lie equally deep in it. */
export const motleyVersion: string = (() => {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { readonly version: string }).version
})()

/** One thing that is wrong with the configuration, and where it was written. */
export interface ConfigProblem {
  /** The file as the user named it, an environment variable, or an option. */
  readonly source: string
  /** Line of the file; null where the source is no file or the whole of it is meant. */
  readonly line: number | null
  readonly text: string
}

/** The configuration cannot be used. The message has one line for every problem. */
export class ConfigError extends Error {
  readonly problems: readonly ConfigProblem[]

  constructor(problems: readonly ConfigProblem[]) {
    super(problems.map(problemText).join('\n'))
    this.problems = problems
  }
}

/** What has no line is no place to jump to, so it is said as any other wrong usage. */
export function problemText({ source, line, text }: ConfigProblem): string {
  const program = line === null ? 'motley: ' : ''
  return `${program}${source}${line === null ? '' : `:${line}`}: ${text}`
}

export type ConfigPath = readonly (string | number)[]

/** A path as people write it: `endpoints[1].weight`, `models["llama-3.1-8b"].aliases`. */
export function pathText(path: ConfigPath): string {
  return path.reduce<string>((text, step) => {
    if (typeof step === 'number') return `${text}[${step}]`
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(step)) return `${text}[${JSON.stringify(step)}]`
    return text === '' ? step : `${text}.${step}`
  }, '')
}

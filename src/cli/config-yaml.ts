/** Reads motley.yaml as YAML: plain values, where each was written, and what is wrong with it. */
import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseAllDocuments,
  type YAMLError,
} from 'yaml'
import { type ConfigPath, type ConfigProblem, pathText } from '#cli/config-error.ts'
import { VariableTable } from '#cli/config-variables.ts'

export interface YamlOptions {
  readonly text: string
  /** What to call the file in problems. */
  readonly source: string
  readonly env: Readonly<Record<string, string | undefined>>
  /** Turns a text that came out of a variable into the kind of value its place takes. */
  readonly convert: (path: ConfigPath, text: string) => unknown
}

export interface YamlDocument {
  /** false: not YAML, and the value means nothing. */
  readonly readable: boolean
  readonly value: unknown
  readonly problems: readonly ConfigProblem[]
  /** Where a setting was written; where it is missing, the line of what should hold it. */
  line(path: ConfigPath): number
  /** Whether a variable is missing there, which is among the problems already. */
  unfilled(path: ConfigPath): boolean
  /** The variables that a value was made from. */
  variables(path: ConfigPath): readonly string[]
}

/** Far more than a fleet of 10,000 endpoints needs; aliases of aliases multiply beyond it. */
const maxNodes = 500_000
const maxDepth = 32

/** What is wrong first makes most of the rest; of a file that is no YAML each line would be wrong. */
const syntaxErrorsTold = 3

export function readYaml({ text, source, env, convert }: YamlOptions): YamlDocument {
  const table = new VariableTable()
  const lineCounter = new LineCounter()
  const lines = new Map<string, number>()
  const variablesByPath = new Map<string, readonly string[]>()
  const problems: ConfigProblem[] = []
  const unfilled = new Set<string>()
  const report = (line: number, problem: string) => {
    problems.push({ source, line, text: table.asWritten(problem) })
  }
  const parsed = parseAllDocuments(table.setAside(text), { lineCounter, prettyErrors: false })
  const documents = [...parsed]
  const lineAt = (offset: number | undefined) => lineCounter.linePos(offset ?? 0).line || 1

  const second = documents[1]
  if (second !== undefined) {
    report(lineAt(second.range[0]), 'a second document starts here; motley.yaml is one document')
  }
  const errors = documents.flatMap((document) => [...document.errors, ...document.warnings])
  const indentation = indentationProblem(errors, text.split('\n'), lineAt)
  if (indentation !== null) report(indentation.line, indentation.text)
  // One wrong blank makes the parser stumble several times over the same lines.
  else {
    const [told, more] = [errors.slice(0, syntaxErrorsTold), errors.slice(syntaxErrorsTold)]
    for (const error of told) report(lineAt(error.pos[0]), syntaxText(error))
    if (more[0] !== undefined) {
      report(lineAt(more[0].pos[0]), `and ${more.length} more like these: is this YAML at all?`)
    }
  }

  let nodes = 0
  const visit = (node: unknown, path: ConfigPath, depth: number): unknown => {
    if (depth > maxDepth || ++nodes > maxNodes) {
      throw new TooLarge()
    }
    if (isAlias(node)) {
      const meant = documents[0] && node.resolve(documents[0])
      if (meant !== undefined) return visit(meant, path, depth + 1)
      report(lineAt(node.range?.[0]), `${pathText(path)}: no anchor &${node.source} before this`)
      return null
    }
    if (isMap(node)) {
      const map: Record<string, unknown> = Object.create(null)
      for (const { key, value } of node.items) {
        const line = lineAt(isScalar(key) ? key.range?.[0] : node.range?.[0])
        const name = isScalar(key) ? String(key.value) : null
        if (name === null || table.hasMarks(name)) {
          report(line, `${pathText(path) || 'motley.yaml'}: a key must be a plain text`)
          continue
        }
        if (name === '__proto__') {
          report(line, `${pathText(path) || 'motley.yaml'}: "__proto__" cannot be used as a name`)
          continue
        }
        const childPath = [...path, name]
        lines.set(pathKey(childPath), line)
        map[name] = visit(value, childPath, depth + 1)
      }
      return map
    }
    if (isSeq(node)) {
      return node.items.map((item, index) => {
        const childPath = [...path, index]
        const offset = isScalar(item) || isMap(item) || isSeq(item) || isAlias(item)
        lines.set(pathKey(childPath), lineAt((offset ? item.range : node.range)?.[0]))
        return visit(item, childPath, depth + 1)
      })
    }
    if (!isScalar(node)) return null
    if (typeof node.value !== 'string' || !table.hasMarks(node.value)) return node.value
    const filled = table.fill(node.value, env)
    for (const problem of filled.problems) {
      report(lineAt(node.range?.[0]), `${pathText(path)}: ${problem}`)
    }
    if (filled.problems.length > 0) unfilled.add(pathKey(path))
    variablesByPath.set(pathKey(path), filled.variables)
    return filled.variables.length === 0 ? filled.text : convert(path, filled.text)
  }

  let value: unknown = null
  let readable = problems.length === 0
  if (readable) {
    try {
      value = visit(documents[0]?.contents ?? null, [], 0)
    } catch (error) {
      if (!(error instanceof TooLarge)) throw error
      readable = false
      report(1, 'too large or too deeply nested; do anchors and aliases refer to each other?')
    }
  }

  return {
    readable,
    value,
    problems,
    line(path) {
      for (let length = path.length; length > 0; length--) {
        const line = lines.get(pathKey(path.slice(0, length)))
        if (line !== undefined) return line
      }
      return 1
    },
    unfilled: (path) => unfilled.has(pathKey(path)),
    variables: (path) => variablesByPath.get(pathKey(path)) ?? [],
  }
}

class TooLarge extends Error {}

function pathKey(path: ConfigPath): string {
  return JSON.stringify(path)
}

/** What the parser says, and for the slips that people make most, what to do. */
function syntaxText(error: YAMLError): string {
  switch (error.code) {
    case 'TAB_AS_INDENT':
      return 'a tab starts this line; YAML takes only spaces there'
    case 'DUPLICATE_KEY':
      return 'this key stands twice in the same map; keep one of them'
    default: {
      const [first = ''] = error.message.split('\n')
      const short = first.replace(' in YAML stream', '').replace(/"(.{16}).{2,}"$/, '"$1…"')
      return `not valid YAML: ${short}`
    }
  }
}

/**
 * A line that starts at another column than its neighbours, which the parser tells in words about
 * indicators and implicit keys. Null where the first error is of another kind.
 */
function indentationProblem(
  errors: readonly YAMLError[],
  lines: readonly string[],
  lineAt: (offset: number) => number,
): { readonly line: number; readonly text: string } | null {
  const first = errors[0] && lineAt(errors[0].pos[0])
  for (const { code, message, pos } of errors) {
    const [from, to] = [lineAt(pos[0]), lineAt(pos[1])]
    // A key that seems to run over two lines is two keys, the second too far to the right.
    const isRunOn = code === 'MULTILINE_IMPLICIT_KEY' && from < to
    const isStray = code === 'BAD_INDENT' || /^Sequence item without|^A block seq/.test(message)
    if (from !== first || !(isRunOn || isStray)) continue
    const line = isRunOn ? to : from
    const here = lines[line - 1] ?? ''
    const above = lines.slice(0, line - 1).findLast((each) => !/^\s*(#.*)?$/.test(each)) ?? ''
    const blanks = blanksOf(here)
    // Beside the key behind a dash stands the next key, and below the dash the next dash.
    const aboveBlanks = here.trimStart().startsWith('- ') ? blanksOf(above) : keyColumn(above)
    if (blanks === aboveBlanks) return null
    return {
      line,
      text: `this line is indented by ${counted(blanks)}, the one above by ${aboveBlanks}; what belongs together starts at the same column`,
    }
  }
  return null
}

function blanksOf(line: string): number {
  return line.length - line.trimStart().length
}

function keyColumn(line: string): number {
  return /^[\s-]*/.exec(line)?.[0].length ?? 0
}

function counted(blanks: number): string {
  return blanks === 1 ? '1 blank' : `${blanks} blanks`
}

/**
 * `${NAME}` and `${NAME:-default}` in motley.yaml. They are set aside before the text is read as
 * YAML and filled in afterwards: a value from the environment then never reads as YAML, whatever
 * it holds, and `{ key: ${APP_KEY} }` works although a brace would end the value there.
 */

type Environment = Readonly<Record<string, string | undefined>>

interface Reference {
  /** As it stands in the file. */
  readonly written: string
  readonly meaning:
    | { readonly kind: 'variable'; readonly name: string; readonly fallback: string | null }
    | { readonly kind: 'literal'; readonly text: string }
    | { readonly kind: 'malformed' }
}

export interface FilledText {
  readonly text: string
  /** The variables it was made from; empty when it stands in the file as it is. */
  readonly variables: readonly string[]
  /** One sentence each. */
  readonly problems: readonly string[]
}

// Private-use characters: YAML lets them stand anywhere in a plain text, and no keyboard has them.
const opening = '\uE000'
const closing = '\uE001'
const mark = new RegExp(`${opening}(\\d+)${closing}`, 'g')

export class VariableTable {
  readonly #references: Reference[] = []

  /** The text with a mark for each reference. Lines stay where they are. */
  setAside(text: string): string {
    return text.replace(/\$\$\{[^}\n]*\}?|\$\{[^}\n]*\}?/g, (written) => {
      this.#references.push({ written, meaning: meaningOf(written) })
      return `${opening}${this.#references.length - 1}${closing}`
    })
  }

  /** Marks turned back into what stands in the file, for messages and keys. */
  asWritten(text: string): string {
    return text.replace(mark, (all, index) => this.#references[Number(index)]?.written ?? all)
  }

  hasMarks(text: string): boolean {
    return text.search(mark) >= 0
  }

  fill(marked: string, env: Environment): FilledText {
    const variables: string[] = []
    const problems: string[] = []
    const text = marked.replace(mark, (all, index) => {
      const reference = this.#references[Number(index)]
      if (reference === undefined) return all
      const { written, meaning } = reference
      if (meaning.kind === 'literal') return meaning.text
      if (meaning.kind === 'malformed') {
        problems.push(
          `"${written}" is not a variable; write \${NAME} or \${NAME:-default}, or $\${ for a plain "\${"`,
        )
        return ''
      }
      variables.push(meaning.name)
      const value = env[meaning.name]
      if (meaning.fallback !== null && (value === undefined || value === '')) {
        return meaning.fallback
      }
      if (value === undefined) {
        problems.push(
          `the environment variable ${meaning.name} is not set; set it, or write \${${meaning.name}:-default}`,
        )
      }
      return value ?? ''
    })
    return { text, variables, problems }
  }
}

function meaningOf(written: string): Reference['meaning'] {
  if (written.startsWith('$$')) return { kind: 'literal', text: written.slice(1) }
  const [, name, fallback] = /^\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?\}$/.exec(written) ?? []
  if (name === undefined) return { kind: 'malformed' }
  return { kind: 'variable', name, fallback: fallback ?? null }
}

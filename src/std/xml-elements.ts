/**
 * Reads XML that a tool printed, as far as it goes: a cut file yields the elements that were there,
 * other text yields nothing. No entities beyond the five, no namespaces, no DTD.
 */
export interface XmlElement {
  readonly name: string
  readonly attributes: Readonly<Record<string, string>>
  readonly children: readonly XmlElement[]
  /** Its own text, trimmed, without that of its children. */
  readonly text: string
}

interface Open {
  name: string
  attributes: Record<string, string>
  children: XmlElement[]
  text: string
}

const token =
  /<(\/?)([A-Za-z_][\w.:-]*)((?:\s+[\w.:-]+\s*=\s*(?:"[^"<]*"|'[^'<]*'))*)\s*(\/?)>|<[!?][^>]*>/g
const attribute = /([\w.:-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g

/** Deeper than any tool nests; a hostile file must not fill the stack of who reads it. */
const depthMax = 64

/** The elements at the top; most documents have one. */
export function readXmlElements(text: string): readonly XmlElement[] {
  const root: Open = { name: '', attributes: {}, children: [], text: '' }
  const open: Open[] = [root]
  let last = 0
  const top = (): Open => open[open.length - 1] ?? root
  for (const match of text.matchAll(token)) {
    top().text += text.slice(last, match.index)
    last = match.index + match[0].length
    const [, closing, name, attributes = '', empty] = match
    if (name === undefined) continue
    if (closing) {
      // A closing tag without its opening one is damage; the elements in between end with theirs.
      const depth = open.findLastIndex((element) => element.name === name)
      while (depth > 0 && open.length > depth) close(open)
      continue
    }
    if (open.length >= depthMax) continue
    open.push({ name, attributes: readAttributes(attributes), children: [], text: '' })
    if (empty) close(open)
  }
  while (open.length > 1) close(open)
  return root.children
}

function close(open: Open[]): void {
  const element = open.pop()
  if (element === undefined) return
  const text = plainText(element.text).trim()
  open[open.length - 1]?.children.push({ ...element, text })
}

function readAttributes(text: string): Record<string, string> {
  const pairs = [...text.matchAll(attribute)].map(
    ([, name = '', double, single]) => [name, plainText(double ?? single ?? '')] as const,
  )
  return Object.fromEntries(pairs)
}

const entities: Readonly<Record<string, string>> = {
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
  amp: '&',
}

function plainText(text: string): string {
  return text.replace(/&(lt|gt|quot|apos|amp);/g, (_, name: string) => entities[name] ?? '')
}

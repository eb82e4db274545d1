/** Words that begin a sentence and are no names: those keep their capital wherever they stand. */
const starters =
  /^(?:The|This|That|These|Those|It|Its|An?|No|Not|None|Nothing|Nobody|What|Who|There|Another|One|Two|Some|Somebody|All|Only|At|On|In)\b/

/** A sentence as it stands behind a colon or within another one. */
export function asClause(sentence: string): string {
  const begin = starters.exec(sentence)?.[0] ?? ''
  return (begin.toLowerCase() + sentence.slice(begin.length)).replace(/\.$/, '')
}

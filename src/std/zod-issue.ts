/** What zod found wrong in a file that a user wrote, in words. */
import type { z } from 'zod'

/** What may stand there, as "one of a, b" or "at least 1". */
export function allowedBy(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_value':
      return `one of ${issue.values.join(', ')}`
    case 'invalid_type':
      return issue.expected === 'array' ? 'a list' : `a value of type ${issue.expected}`
    case 'too_big':
      return `at most ${issue.maximum}`
    case 'too_small':
      return `${issue.inclusive === true ? 'at least' : 'more than'} ${issue.minimum}`
    default:
      return issue.message
  }
}

/** What stands at a path of keys and places; undefined for nothing. */
export function valueAt(root: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (at, step) => (typeof at === 'object' && at !== null ? Reflect.get(at, step) : undefined),
    root,
  )
}

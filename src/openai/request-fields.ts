/** The members of a request's body, read and set without touching the bytes between them. */
import {
  type JsonMember,
  JsonScanError,
  jsonMembers,
  lastOf,
  memberValue,
} from '#std/json-members.ts'
import { asObject } from '#std/json-object.ts'
import type { Splice } from '#std/splice-bytes.ts'

export class RequestFields {
  readonly #body: Buffer
  readonly #members: readonly JsonMember[]

  constructor(body: Buffer) {
    this.#body = body
    this.#members = jsonMembers(body)
  }

  value(name: string): unknown {
    const member = lastOf(this.#members, name)
    if (member === undefined) return undefined
    try {
      return memberValue(this.#body, member)
    } catch (error) {
      if (error instanceof JsonScanError) return unreadable
      throw error
    }
  }

  /** In place of what stands there, or as the first member; what is an object is added to one. */
  set(name: string, value: unknown): Splice {
    const member = lastOf(this.#members, name)
    const [before, added] = [asObject(this.value(name)), asObject(value)]
    const text = JSON.stringify(before === null || added === null ? value : { ...before, ...added })
    if (member !== undefined) return { start: member.valueStart, end: member.valueEnd, text }
    const start = this.#body.indexOf('{') + 1
    return { start, end: start, text: `${JSON.stringify(name)}:${text},` }
  }

  /** At the end of the value of `name`, before what closes it. */
  append(name: string, text: string): Splice {
    const end = (lastOf(this.#members, name)?.valueEnd ?? 1) - 1
    return { start: end, end, text }
  }
}

/** In place of a value that is no JSON, as Python's NaN: it is nothing that can be gone on with. */
const unreadable = {}

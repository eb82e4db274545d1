/**
 * Makes a prompt out of chat messages with the model's own template.
 *
 * Two things a plain rendering cannot give are done with marks, characters that no message holds:
 * - An open last message: a mark is put after its text, and the rendering is cut at the mark. It
 *   works with every template that prints the text, and keeps trailing spaces from being trimmed.
 * - Text that spells a control token (`<|im_end|>`) must not become one. Such a spelling is
 *   swapped for a mark, and comes back as a piece of its own that is marked as plain text.
 */
import { Template } from '@huggingface/jinja'
import type { ChatConversation } from '#embedded/chat-messages.ts'
import { RequestError } from '#embedded/request-error.ts'

/** A part of a prompt. Only where `control` is true may text become control tokens. */
export interface PromptPiece {
  readonly text: string
  readonly control: boolean
}

export interface ChatFormatOptions {
  /** The Jinja source from the model file. */
  readonly template?: string | undefined
  readonly bosToken: string
  readonly eosToken: string
  /** How the model's control tokens are spelled. */
  readonly controlTexts: readonly string[]
}

/** The format for files without a template: most models of the last years know it. */
const chatMl =
  "{%- for message in messages -%}{{- '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' -}}{%- endfor -%}" +
  "{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}"

// Private-use characters: no keyboard types them. Those in a message are removed, so that a mark
// is always ours.
const markStart = '\uF8D0'
const markEnd = '\uF8D1'
const endMark = `${markStart}end${markEnd}`
const anyMarkCharacter = /[\uF8D0\uF8D1]/g
const spellingMark = /\uF8D0(\d+)\uF8D1/

export class ChatFormat {
  readonly #template: Template
  readonly #controlSpelling: RegExp | undefined
  readonly #bosToken: string
  readonly #eosToken: string

  /** Throws when the template cannot be parsed. */
  constructor({ template = chatMl, bosToken, eosToken, controlTexts }: ChatFormatOptions) {
    this.#template = new Template(template)
    this.#bosToken = bosToken
    this.#eosToken = eosToken
    const spellings = controlTexts
      .filter((text) => text.length > 1)
      .toSorted((a, b) => b.length - a.length)
      .map((text) => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'))
    this.#controlSpelling = spellings.length > 0 ? new RegExp(spellings.join('|'), 'g') : undefined
  }

  render({ messages, ending }: ChatConversation): readonly PromptPiece[] {
    const spellings: string[] = []
    const guarded = messages.map(({ role, content }, index) => {
      const text = this.#guard(content, spellings)
      const open = ending === 'continue-last' && index === messages.length - 1
      return { role, content: open ? text + endMark : text }
    })
    let prompt = this.#renderTemplate(guarded, ending === 'new-answer')
    if (ending === 'continue-last') {
      const end = prompt.lastIndexOf(endMark)
      if (end === -1) {
        throw new RequestError(
          400,
          "The model's chat template does not print the last assistant message, so it cannot be continued.",
          { code: 'unsupported_parameter', param: 'messages' },
        )
      }
      prompt = prompt.slice(0, end)
    }
    return prompt.split(spellingMark).flatMap((part, index): PromptPiece[] => {
      if (index % 2 === 1) return [{ text: spellings[Number(part)] ?? '', control: false }]
      return part === '' ? [] : [{ text: part, control: true }]
    })
  }

  #guard(content: string, spellings: string[]): string {
    const clean = content.replace(anyMarkCharacter, '')
    if (this.#controlSpelling === undefined) return clean
    return clean.replace(
      this.#controlSpelling,
      (spelling) => `${markStart}${spellings.push(spelling) - 1}${markEnd}`,
    )
  }

  #renderTemplate(
    messages: readonly { readonly role: string; readonly content: string }[],
    addGenerationPrompt: boolean,
  ): string {
    try {
      return this.#template.render({
        messages,
        add_generation_prompt: addGenerationPrompt,
        bos_token: this.#bosToken,
        eos_token: this.#eosToken,
        tools: null,
        documents: null,
      })
    } catch (cause) {
      const words = cause instanceof Error ? cause.message : String(cause)
      throw new RequestError(400, `The model's chat template refuses these messages: ${words}`, {
        code: 'invalid_value',
        param: 'messages',
      })
    }
  }
}

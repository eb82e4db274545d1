/**
 * Writes the pages of docs/reference that follow from the sources: configuration, errors, command
 * line, and the JSON Schema. With --check it writes nothing and fails where a page is stale.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Command } from 'commander'
import { z } from 'zod'
import { settingVariables } from '#cli/config-environment.ts'
import { createProgram, shownCommands } from '#cli/program.ts'
import {
  allowedText,
  type ConfigSchema,
  configSchema,
  publicSchema,
} from '#core/config/json-schema.ts'
import { type ErrorEntry, errorCatalog } from '#core/errors.ts'
import { scriptLimits } from '#gateway/script/script-limits.ts'
import { scriptEndpoint, scriptRequest } from '#gateway/script/script-wire.ts'

const folder = fileURLToPath(new URL('../docs/reference/', import.meta.url))

const pages: Readonly<Record<string, () => string | Promise<string>>> = {
  'configuration.md': configurationPage,
  'routing-script.md': routingScriptPage,
  'errors.md': errorsPage,
  'cli.md': commandLinePage,
  'motley.schema.json': () => `${JSON.stringify(publicSchema(), null, 2)}\n`,
}

const generated = '<!-- Written by `npm run docs`; change the sources, not this page. -->'

function configurationPage(): string {
  const sections = Object.entries(configSchema().properties ?? {}).map(
    ([name, schema]) =>
      `## ${name}\n\n${schema.description ?? ''}\n\n${settingsTable(name, schema)}`,
  )
  const variables = [...settingVariables()].map(
    ([variable, path]) => `| \`${variable}\` | \`${path.join('.')}\` |`,
  )
  return `# Configuration: motley.yaml

${generated}

\`motley config check\` says whether a file is right; \`motley config schema\` prints the JSON Schema,
which is also [motley.schema.json](motley.schema.json). Every setting can be left out unless it says
"required".

- Options of a command win over environment variables, and those over the file.
- \`\${NAME}\` in a value is the environment variable of that name, \`\${NAME:-default}\` says what counts
  where it is not set, and \`$\${\` stands for a plain \`\${\`.
- When the file changes, or on SIGHUP, the whole file is read again. Where anything in it is wrong,
  that is said and everything stays as it was.

${sections.join('\n\n')}

## Environment variables

| Variable | Setting |
|---|---|
${variables.join('\n')}

\`MOTLEY_CONFIG\` names the file, \`MOTLEY_URL\` and \`MOTLEY_KEY\` the gateway and the key that commands use,
\`MOTLEY_DATA_DIR\` the folder for what Motley downloads, and \`MOTLEY_ENGINE_PATH\` folders in which an agent
looks for the programs of engines before those of PATH.
`
}

function settingsTable(name: string, schema: ConfigSchema): string {
  const rows = settingRows(name, schema, false)
  return ['| Setting | Takes | Default | Meaning |', '|---|---|---|---|', ...rows].join('\n')
}

/** One row for each setting that is a value, in the order of the schema. */
function settingRows(path: string, schema: ConfigSchema, required: boolean): string[] {
  if (schema.type === 'object' && schema.properties !== undefined) {
    return Object.entries(schema.properties).flatMap(([name, child]) =>
      settingRows(`${path}.${name}`, child, schema.required?.includes(name) ?? false),
    )
  }
  if (schema.type === 'array' && schema.items?.type === 'object') {
    return settingRows(`${path}[]`, schema.items, false)
  }
  if (typeof schema.additionalProperties === 'object' && schema.additionalProperties.properties) {
    return settingRows(`${path}.<name>`, schema.additionalProperties, false)
  }
  const cells = [
    `\`${path}\``,
    allowedText(schema),
    defaultText(schema, required),
    schema.description,
  ]
  return [`| ${cells.map((cell) => (cell ?? '').replaceAll('|', '\\|')).join(' | ')} |`]
}

function defaultText(schema: ConfigSchema, required: boolean): string {
  if (schema.default === undefined) return required ? 'required' : ''
  return `\`${typeof schema.default === 'string' ? schema.default : JSON.stringify(schema.default)}\``
}

function routingScriptPage(): string {
  const { computingMsMax, loadingMsMax, memoryBytesMax, silentMsMax, waitingMax, lostThreadsMax } =
    scriptLimits
  const example = readFileSync(new URL('../examples/desk/routing.js', import.meta.url), 'utf8')
  return `# routing.script

${generated}

A JavaScript file with a function \`route(request, endpoints)\`, named by \`routing.script\` in motley.yaml. It is
asked for each request, once for each model that is tried, and returns those of the endpoints that the
request may go to, or their names; the strategy picks among them, so that their order means nothing. It sees what
\`routing.rules\` leave, and may narrow that and never widen it. An empty list is an answer as well: nobody may. The function
may also be exported: \`export function route(request, endpoints)\`. It answers at once: one that is async is refused.

\`\`\`js
${example.trimEnd()}
\`\`\`

## request

${fieldsTable(scriptRequest)}

## endpoints

All that serve the model for that task and that the rules allow, whatever their state.

${fieldsTable(scriptEndpoint)}

## What it may do

It is plain JavaScript (ES2023) in a sandbox: no files, network, timers or modules. What it changes is a copy.
Globals stay from one request to the next, until the file is read again.

| Limit | Value |
|---|---|
| computing, for each request | ${computingMsMax} ms |
| computing while it is loaded | ${loadingMsMax / 1_000} s |
| silent, computing or not | ${silentMsMax / 1_000} s; then its thread is ended and another begun |
| memory | ${memoryBytesMax / 1024 ** 2} MiB |
| requests that wait for it | ${waitingMax} |

## When it fails

It fails open: where it throws, takes too long or too much, or returns something else than endpoints that it was given,
**rules alone decide** about that request. Where something must never happen, as a prompt that leaves the house,
write a rule with \`require\`, which cannot fail.

- The log says what went wrong and in which line, at most once in ten seconds for a script.
- \`motley why\` of a request says so above the decisions that were made without it; in the record that is
  \`scriptFailures\`.
- \`motley status\` says how often the script failed that is asked now, with what, and when last; as JSON that is
  \`gateway.routingScript\`.
- \`motley_routing_script_failures_total\` counts them.
- After ${lostThreadsMax} threads in a row that it hung or broke it is left out, until the file is read again.
- A file that cannot be loaded is a mistake in the configuration: \`motley config check\` and a start refuse it, and a
  reload keeps the one before.
`
}

/** What a script is given, field by field. */
function fieldsTable(schema: z.ZodType): string {
  const { properties = {} } = z.toJSONSchema(schema) as ConfigSchema
  const rows = Object.entries(properties).map(
    ([name, field]) => `| \`${name}\` | ${typeText(field)} | ${field.description} |`,
  )
  return ['| Field | Holds | Meaning |', '|---|---|---|', ...rows].join('\n')
}

/** As a person who writes JavaScript says it. */
function typeText(schema: ConfigSchema): string {
  if (schema.anyOf !== undefined) return schema.anyOf.map(typeText).join(', or ')
  if (schema.enum !== undefined || schema.type === 'boolean') return allowedText(schema)
  if (schema.type === 'object') return 'an object of strings'
  return [schema.type].flat().join(' or ')
}

function errorsPage(): string {
  const entries = Object.entries<ErrorEntry>(errorCatalog).sort(
    ([, one], [, other]) => one.status - other.status,
  )
  const rows = entries.map(
    ([code, { status, retryable, message, hint }]) =>
      `### ${code}\n\n${status}${retryable ? ', may succeed a little later' : ''}. ${message}\n\n${hint}`,
  )
  return `# Errors

${generated}

An answer with an error holds one of these in \`error.code\`, and the code keeps its meaning. The
message may say more about this one time. Clients of the Anthropic and Ollama APIs get the same
errors in the shape that those APIs use.

${rows.join('\n\n')}
`
}

async function commandLinePage(): Promise<string> {
  const program = await createProgram()
  return `# Command line

${generated}

${commandTexts(program, '').join('\n\n')}
`
}

function commandTexts(command: Command, parent: string): string[] {
  const name = `${parent}${command.name()}`
  // What the help says beneath the options is only there when it is shown.
  let text = ''
  command.configureOutput({ writeOut: (part) => (text += part), getOutHelpWidth: () => 80 })
  command.outputHelp()
  const depth = name.split(' ').length
  const own = `${'#'.repeat(Math.min(depth + 1, 4))} ${name}\n\n\`\`\`text\n${text.trimEnd()}\n\`\`\``
  return [own, ...shownCommands(command).flatMap((child) => commandTexts(child, `${name} `))]
}

function read(file: string): string | null {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return null
  }
}

const check = process.argv.includes('--check')
mkdirSync(folder, { recursive: true })
const written = await Promise.all(
  Object.entries(pages).map(async ([name, write]) => ({ name, text: await write() })),
)
const stale = written.filter(({ name, text }) => read(folder + name) !== text)
for (const { name, text } of check ? [] : stale) writeFileSync(folder + name, text)
if (check && stale.length > 0) {
  console.error(
    `docs/reference is stale: ${stale.map(({ name }) => name).join(', ')}; npm run docs`,
  )
  process.exitCode = 1
} else {
  console.log(stale.length === 0 ? 'docs/reference is up to date' : `wrote ${stale.length} pages`)
}

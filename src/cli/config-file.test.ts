import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { setByKubernetes, settingVariables } from '#cli/config-environment.ts'
import { ConfigError } from '#cli/config-error.ts'
import { type ConfigFlags, findConfigFile, parseConfig, readConfig } from '#cli/config-file.ts'
import { scalarPaths, schemaAt } from '#core/config/json-schema.ts'

interface Given {
  readonly env?: Readonly<Record<string, string>>
  readonly flags?: ConfigFlags
}

function parse(text: string, { env = {}, flags = {} }: Given = {}) {
  return parseConfig(text, { path: 'motley.yaml', env, flags, cwd: '/srv/motley' })
}

function problems(text: string, given: Given = {}): string[] {
  try {
    parse(text, given)
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split('\n')
    throw error
  }
  return []
}

describe('a wrong file is told by line, key, what was found and what is allowed', () => {
  test.each<{ what: string; text: string; said: string[]; given?: Given }>([
    {
      what: 'a tab as indentation',
      text: 'gateway:\n\tlisten: 127.0.0.1:1',
      said: ['motley.yaml:2: a tab starts this line; YAML takes only spaces there'],
    },
    {
      what: 'a quote that never closes',
      text: 'gateway:\n  listen: "127',
      said: ['motley.yaml:2: not valid YAML: Missing closing "quote'],
    },
    {
      what: 'a key that stands twice',
      text: 'gateway:\n  drainMs: 1\n  drainMs: 2',
      said: ['motley.yaml:3: this key stands twice in the same map; keep one of them'],
    },
    {
      what: 'two documents',
      text: 'gateway: {}\n---\nrouting: {}',
      said: ['motley.yaml:2: a second document starts here; motley.yaml is one document'],
    },
    {
      what: 'an alias without its anchor',
      text: 'gateway: *base',
      said: ['motley.yaml:1: gateway: no anchor &base before this'],
    },
    {
      what: 'an anchor that holds itself',
      text: 'gateway: &a { keys: [*a] }',
      said: [
        'motley.yaml:1: too large or too deeply nested; do anchors and aliases refer to each other?',
      ],
    },
    {
      what: 'a list in place of the sections',
      text: '- gateway',
      said: [
        'motley.yaml:1: the whole file: found a list, allowed: a map of gateway, endpoints, models, deployments, nodes, routing, controller, embedded',
      ],
    },
    {
      what: 'a key one blank short of its neighbour',
      text: 'endpoints:\n  - url: http://a\n   name: a',
      said: [
        'motley.yaml:3: this line is indented by 3 blanks, the one above by 4; what belongs together starts at the same column',
      ],
    },
    {
      what: 'a key one blank too far',
      text: 'gateway:\n  # where\n  listen: 127.0.0.1:1\n\n   drainMs: 3',
      said: [
        'motley.yaml:5: this line is indented by 3 blanks, the one above by 2; what belongs together starts at the same column',
      ],
    },
    {
      what: 'an entry of a list one blank short of the others',
      text: 'endpoints:\n  - url: http://a\n - url: http://b',
      said: [
        'motley.yaml:3: this line is indented by 1 blank, the one above by 2; what belongs together starts at the same column',
      ],
    },
    {
      what: 'a value that holds a colon, which is no matter of blanks',
      text: 'gateway:\n  listen: a: b',
      said: ['motley.yaml:2: not valid YAML: Nested mappings are not allowed in compact mappings'],
    },
    {
      what: 'a text that is no YAML at all',
      text: `# Motley\n\n${'A word: `another one: and more of them`\n\n'.repeat(20)}`,
      said: [
        'motley.yaml:3: not valid YAML: Nested mappings are not allowed in compact mappings',
        'motley.yaml:3: not valid YAML: Plain value cannot start with reserved character `',
        'motley.yaml:5: not valid YAML: Nested mappings are not allowed in compact mappings',
        'motley.yaml:5: and 37 more like these: is this YAML at all?',
      ],
    },
    {
      what: 'a port without its host',
      text: 'gateway: { listen: 7070 }',
      said: [
        'motley.yaml:1: gateway.listen: found 7070, allowed: host:port, as 127.0.0.1:7070 or [::1]:7070, with a port up to 65535; write "127.0.0.1:7070"',
      ],
    },
    {
      what: 'a port without its host, in quotes',
      text: 'gateway: { listen: ":7070" }',
      said: [
        'motley.yaml:1: gateway.listen: found ":7070", allowed: host:port, as 127.0.0.1:7070 or [::1]:7070, with a port up to 65535; write "127.0.0.1:7070"',
      ],
    },
    {
      what: 'a wait that no timer can hold',
      text: 'gateway: { queue: { timeoutMs: 3000000000 } }',
      said: [
        'motley.yaml:1: gateway.queue.timeoutMs: found 3000000000, allowed: a whole number from 0 to 2147483647',
      ],
    },
    {
      what: 'a misspelt key',
      text: 'endpoints:\n  - url: http://node0:8001\n    wieght: 3',
      said: [
        'motley.yaml:3: endpoints[0].wieght: unknown key, allowed: url, name, engine, models, backend, vram, weight, maxInFlight, labels, apiKey, health; did you mean "weight"?',
      ],
    },
    {
      what: 'a number that is a word',
      text: 'endpoints:\n  - url: http://node0:8001\n  - url: http://node1:8001\n    weight: heavy',
      said: ['motley.yaml:4: endpoints[1].weight: found "heavy", allowed: a number from 0 to 1000'],
    },
    {
      what: 'a number out of range',
      text: 'gateway: { retries: { maxAttempts: 17 } }',
      said: [
        'motley.yaml:1: gateway.retries.maxAttempts: found 17, allowed: a whole number from 1 to 16',
      ],
    },
    {
      what: 'a name that YAML reads as a number',
      text: 'endpoints: [{ url: "http://a", name: 4090 }]',
      said: [
        'motley.yaml:1: endpoints[0].name: found 4090, allowed: a name of letters, digits, ".", "_" and "-", at most 63 characters; put it in quotes',
      ],
    },
    {
      what: 'a missing URL, at the line of its endpoint',
      text: 'endpoints:\n  - url: http://node0:8001\n  - name: rtx',
      said: [
        'motley.yaml:3: endpoints[1].url: missing, required: a URL that starts with http:// or https://',
      ],
    },
    {
      what: 'a model name inside a list that may also be a map',
      text: 'endpoints:\n  - url: http://a\n    models:\n      - llama\n      - two words',
      said: [
        'motley.yaml:5: endpoints[0].models[1]: found "two words", allowed: a model name without blanks, quotes or backslashes',
      ],
    },
    {
      what: 'models that are neither list nor map',
      text: 'endpoints: [{ url: "http://a", models: llama }]',
      said: [
        'motley.yaml:1: endpoints[0].models: found "llama", allowed: a list of model names, or a map of the names clients use to those of the engine',
      ],
    },
    {
      what: 'a size with an unknown unit',
      text: 'gateway: { limits: { jsonBytes: 3XB } }',
      said: [
        'motley.yaml:1: gateway.limits.jsonBytes: found "3XB", allowed: a size such as 500000, 64KiB or 32MiB',
      ],
    },
    {
      what: 'an engine nearly right',
      text: 'endpoints: [{ url: "http://a", engine: vlm }]',
      said: [
        'motley.yaml:1: endpoints[0].engine: found "vlm", allowed: one of vllm, sglang, llama-server, ollama, motley-embedded, tensorrt-llm, tei, infinity, whisper-cpp, mlx-lm, openvino, kokoro, xtts, speaches, openai; did you mean "vllm"?',
      ],
    },
    {
      what: 'two endpoints of one name, also beside other problems',
      text: 'endpoints:\n  - { url: "http://a", name: x }\n  - { url: "http://b", name: x }\n  - { url: 3 }',
      said: [
        'motley.yaml:3: endpoints[1]: two endpoints are called "x"; give one of them another "name"',
        'motley.yaml:4: endpoints[2].url: found 3, allowed: a URL that starts with http:// or https://; put it in quotes',
      ],
    },
    {
      what: 'an endpoint that takes the name of the embedded engine',
      text: 'embedded: { model: m.gguf }\nendpoints: [{ url: "http://a", name: embedded }]',
      said: [
        'motley.yaml:2: endpoints[0]: "embedded" is what the engine of the "embedded" section is called; give this endpoint another "name"',
      ],
    },
    {
      what: 'an alias that is a name already',
      text: 'models:\n  a: { aliases: [gpt] }\n  b: { aliases: [gpt] }',
      said: [
        'motley.yaml:3: models.b.aliases[0]: "gpt" already names a model; an alias must be a name of its own',
      ],
    },
    {
      what: 'a model that falls back to itself',
      text: 'models:\n  llama-3: { fallback: [llama-3] }',
      said: ['motley.yaml:2: models["llama-3"].fallback[0]: "llama-3" cannot be its own fallback'],
    },
    {
      what: 'an address open to others without keys',
      text: 'gateway:\n  listen: 0.0.0.0:7070',
      said: [
        'motley.yaml:2: gateway.listen: "0.0.0.0:7070" is open to other machines, so gateway.keys must hold at least one key; or listen on 127.0.0.1',
      ],
    },
    {
      what: 'both forms of a key',
      text: `gateway: { keys: [{ name: a, key: long-enough, keyHash: "sha256:${'0'.repeat(64)}" }] }`,
      said: ['motley.yaml:1: gateway.keys[0]: allowed: exactly one of "key" and "keyHash"'],
    },
    {
      what: 'a short key, without showing it',
      text: 'gateway: { keys: [{ name: a, key: geheim }] }',
      said: [
        'motley.yaml:1: gateway.keys[0].key: found "…", allowed: a key of at least 8 characters',
      ],
    },
    {
      what: 'a key where its entry should be, without showing it',
      text: 'gateway: { keys: [sk-geheim-geheim] }',
      said: [
        'motley.yaml:1: gateway.keys[0]: found "…", allowed: a map of name, key, keyHash, admin, models, rpm, tpm, maxParallel, class, priority',
      ],
    },
    {
      what: 'a URL, without its password',
      text: 'endpoints: [{ url: "http://me:geheim@node:99999/" }]',
      said: [
        'motley.yaml:1: endpoints[0].url: found "http://…@node:99999/", allowed: a URL that starts with http:// or https://; a port is at most 65535, not 99999',
      ],
    },
    {
      what: 'rules that are none',
      text: 'routing:\n  rules:\n    - { when: { modelSize: 40B }, require: { minVram: 40GiB } }\n    - { when: {} }',
      said: [
        'motley.yaml:3: routing.rules[0].when.modelSize: found "40B", allowed: a range such as ">40B", "<10B" or "10B..40B"',
        'motley.yaml:4: routing.rules[1]: allowed: a rule with "require", "prefer" or both',
      ],
    },
    {
      what: 'a strategy that is nearly one',
      text: 'routing: { strategy: fast }',
      said: [
        'motley.yaml:1: routing.strategy: found "fast", allowed: one of fastest, least-connections, round-robin, random, power-of-two, two-choices, least-busy, prefix, prefix-load, load-scores, kv-cost, scored; did you mean "fastest"?',
      ],
    },
    {
      what: 'a variable that is not set, beside another problem',
      text: `gateway:\n  keys:\n    - { name: app, key: \${APP_KEY} }\n  drainMs: soon`,
      said: [
        `motley.yaml:3: gateway.keys[0].key: the environment variable APP_KEY is not set; set it, or write \${APP_KEY:-default}`,
        'motley.yaml:4: gateway.drainMs: found "soon", allowed: a whole number from 0 to 2147483647',
      ],
    },
    {
      what: 'a variable that nobody could set',
      text: `endpoints: [{ url: "\${MY URL}" }]`,
      said: [
        `motley.yaml:1: endpoints[0].url: "\${MY URL}" is not a variable; write \${NAME} or \${NAME:-default}, or $\${ for a plain "\${"`,
      ],
    },
    {
      what: 'a wrong value from a variable, by its name alone',
      text: `endpoints: [{ url: "http://a", weight: "\${WEIGHT}" }]`,
      given: { env: { WEIGHT: 'geheim' } },
      said: [
        'motley.yaml:1: endpoints[0].weight: found the value of WEIGHT, allowed: a number from 0 to 1000',
      ],
    },
    {
      what: 'a variable in a key',
      text: `models:\n  \${NAME}: {}`,
      given: { env: { NAME: 'x' } },
      said: ['motley.yaml:2: models: a key must be a plain text'],
    },
    {
      what: 'a wrong environment setting',
      text: 'gateway: { drainMs: 1 }',
      given: { env: { MOTLEY_GATEWAY_DRAIN_MS: 'soon' } },
      said: [
        'motley: MOTLEY_GATEWAY_DRAIN_MS: gateway.drainMs: found "soon", allowed: a whole number from 0 to 2147483647',
      ],
    },
    {
      what: 'an environment setting that does not exist',
      text: '',
      given: { env: { MOTLEY_GATEWAY_DRIAN_MS: '3' } },
      said: [
        'motley: MOTLEY_GATEWAY_DRIAN_MS: no setting has this name; did you mean "MOTLEY_GATEWAY_DRAIN_MS"?',
      ],
    },
    {
      what: 'a wrong option',
      text: 'gateway: { listen: "127.0.0.1:1" }',
      given: { flags: { listen: 'here' } },
      said: [
        'motley: --listen: found "here", allowed: host:port, as 127.0.0.1:7070 or [::1]:7070, with a port up to 65535',
      ],
    },
  ])('$what', ({ text, said, given }) => {
    expect(problems(text, given)).toEqual(said)
  })
})

test('every setting in milliseconds has a bound that a timer can hold', () => {
  const paths = [
    ...['gateway', 'routing'].flatMap(scalarPaths),
    ...scalarPaths('gateway')
      .filter(([, section]) => section === 'timeouts')
      .map(([, , name = '']) => ['models', 'm', 'timeouts', name]),
    ...['intervalMs', 'timeoutMs'].map((name) => ['endpoints', '0', 'health', name]),
  ].filter((path) => path.at(-1)?.endsWith('Ms'))
  expect(paths.length).toBeGreaterThan(12)
  for (const path of paths) {
    const schema = schemaAt(path.map((step) => (step === '0' ? 0 : step)))
    expect({ path, maximum: schema?.maximum }).toEqual({ path, maximum: 2 ** 31 - 1 })
  }
})

describe('values', () => {
  test('an empty file means the defaults', () => {
    expect(parse('')).toMatchObject({
      gateway: { listen: '127.0.0.1:7070', limits: { jsonBytes: 64 * 1024 ** 2 } },
      endpoints: [],
    })
  })

  test('a section whose entries are all commented out is an empty one', () => {
    expect(parse('gateway:\n  keys:\nendpoints:\n#  - url: http://a\n')).toMatchObject({
      gateway: { keys: [] },
      endpoints: [],
    })
  })

  test('a variable may stand in a map in braces, where YAML would end the value', () => {
    const text = `gateway:\n  keys: [{ name: app, key: \${APP_KEY}, rpm: \${RPM:-600} }]`
    expect(parse(text, { env: { APP_KEY: '12345678' } }).gateway.keys).toEqual([
      { name: 'app', key: '12345678', rpm: 600, admin: false },
    ])
  })

  test('what a variable holds is never read as YAML', () => {
    const env = { APP_KEY: 'a: b } # "\' *x\n- y' }
    const { keys } = parse(`gateway: { keys: [{ name: app, key: \${APP_KEY} }] }`, { env }).gateway
    expect(keys[0]?.key).toBe(env.APP_KEY)
  })

  test('a doubled dollar stands for itself, and a variable in a comment for nothing', () => {
    const text = `endpoints:\n  - url: http://a/$\${B}/\${C:-d} # \${E}\n`
    expect(parse(text).endpoints[0]?.url).toBe(`http://a/\${B}/d`)
  })

  test('anchors and aliases share what they name', () => {
    const text =
      'endpoints:\n  - { url: "http://a", labels: &rack { room: rack } }\n  - { url: "http://b", labels: *rack }'
    expect(parse(text).endpoints[1]?.labels).toEqual({ room: 'rack' })
  })

  test('an option wins over the environment, and the environment over the file', () => {
    const text = 'gateway: { listen: "127.0.0.1:1", drainMs: 1, pingMs: 1 }'
    const env = { MOTLEY_GATEWAY_LISTEN: '127.0.0.1:2', MOTLEY_GATEWAY_DRAIN_MS: '2' }
    const { listen, drainMs, pingMs } = parse(text, {
      env,
      flags: { listen: '127.0.0.1:3' },
    }).gateway
    expect({ listen, drainMs, pingMs }).toEqual({ listen: '127.0.0.1:3', drainMs: 2, pingMs: 1 })
  })

  test('an empty environment variable sets nothing', () => {
    expect(parse('', { env: { MOTLEY_GATEWAY_LISTEN: '' } }).gateway.listen).toBe('127.0.0.1:7070')
  })

  test('what Kubernetes puts into the environment beside a Service "motley" is no setting', () => {
    const env = {
      MOTLEY_PORT: 'tcp://10.0.0.1:7070',
      MOTLEY_SERVICE_HOST: '10.0.0.1',
      MOTLEY_PORT_7070_TCP_ADDR: '10.0.0.1',
      MOTLEY_GATEWAY_SERVICE_PORT_HTTP: '7070',
    }
    expect(problems('', { env })).toEqual([])
    expect([...settingVariables().keys()].filter((name) => setByKubernetes.test(name))).toEqual([])
  })

  test('a name counts for the model of the configuration, and alone it names none', () => {
    const flags = { name: 'llama' }
    expect(parse('embedded: { model: /m.gguf, name: m }', { flags }).embedded?.name).toBe('llama')
    expect(parse('', { flags }).embedded).toBeUndefined()
  })

  test('a model path starts at the folder of the file, one of an option where the user is', () => {
    const text = 'embedded: { model: models/a.gguf }'
    expect(
      parseConfig(text, { path: '/etc/motley/motley.yaml', env: {}, cwd: '/home/me' }).embedded,
    ).toEqual({ model: '/etc/motley/models/a.gguf' })
    expect(
      parseConfig(text, {
        path: '/etc/motley/motley.yaml',
        env: {},
        flags: { model: 'b.gguf' },
        cwd: '/home/me',
      }).embedded,
    ).toEqual({ model: '/home/me/b.gguf' })
  })
})

describe('which file', () => {
  const cwd = mkdtempSync(join(tmpdir(), 'motley-config-'))

  test('none where there is none, and then the defaults', () => {
    expect(findConfigFile({ env: {}, cwd })).toBeNull()
    expect(readConfig({ env: {}, cwd }).endpoints).toEqual([])
  })

  test('the option, else MOTLEY_CONFIG, else motley.yaml where the user is', () => {
    writeFileSync(join(cwd, 'motley.yaml'), 'routing: { strategy: random }')
    const env = { MOTLEY_CONFIG: 'b.yaml' }
    expect(findConfigFile({ path: 'a.yaml', env, cwd })).toBe('a.yaml')
    expect(findConfigFile({ env, cwd })).toBe('b.yaml')
    expect(readConfig({ env: {}, cwd }).routing.strategy).toBe('random')
  })

  test('a file that is named must be there', () => {
    expect(() => readConfig({ path: 'none.yaml', env: {}, cwd })).toThrow(
      'motley: none.yaml: cannot be read: there is no such file; check its name and the folder',
    )
    expect(() => readConfig({ path: '.', env: {}, cwd })).toThrow('it is a folder')
  })
})

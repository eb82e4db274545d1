/** Where the hub is and who asks: HF_ENDPOINT, HF_TOKEN and the files of huggingface_hub. */
import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { CommandFailure } from '#cli/command-failure.ts'

/** Throws {@link CommandFailure}. */
export function hubSettings(env: NodeJS.ProcessEnv): { hubUrl: string; hubToken: string | null } {
  const hubUrl = (env['HF_ENDPOINT'] || 'https://huggingface.co').replace(/\/+$/, '')
  if (!URL.canParse(hubUrl) || !/^https?:$/.test(new URL(hubUrl).protocol)) {
    throw new CommandFailure(
      'wrong',
      `HF_ENDPOINT: found "${hubUrl}", allowed: a URL as https://huggingface.co`,
    )
  }
  return { hubUrl, hubToken: env['HF_TOKEN']?.trim() || tokenFile(env) }
}

function tokenFile(env: NodeJS.ProcessEnv): string | null {
  const home =
    env['HF_HOME'] || join(env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'huggingface')
  try {
    return readFileSync(env['HF_TOKEN_PATH'] || join(home, 'token'), 'utf8').trim() || null
  } catch {
    return null
  }
}

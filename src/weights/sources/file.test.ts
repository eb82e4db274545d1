import { execFileSync } from 'node:child_process'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { bench, temporaryFolder } from '#weights/test-pull.ts'

const noHub = 'http://127.0.0.1:9'

async function folderWith(files: readonly string[]): Promise<string> {
  const folder = await temporaryFolder()
  mkdirSync(join(folder, 'voices'))
  for (const file of files) writeFileSync(join(folder, file), 'x')
  return folder
}

test('a part that leads to a file which was deleted is named as the one that is not there', async () => {
  const folder = await folderWith(['kokoro-v1_0.pth', 'config.json'])
  const part = join(folder, 'voices/af.pt')
  symlinkSync(join(folder, 'deleted'), part)
  const { pull } = await bench(noHub)
  await expect(pull(`file:${folder}`)).rejects.toMatchObject({
    code: 'not_found',
    message: `${part} is not there`,
  })
})

test.skipIf(process.platform === 'win32' || process.getuid?.() === 0)(
  'a folder that this user may not see into cannot be read',
  async () => {
    const folder = await folderWith([])
    execFileSync('chmod', ['000', folder])
    const { pull } = await bench(noHub)
    await expect(pull(`file:${folder}`)).rejects.toThrow(`${folder} cannot be read (EACCES)`)
    execFileSync('chmod', ['700', folder])
  },
)

test.skipIf(process.platform === 'win32')('a pipe that nobody writes to is no file', async () => {
  const folder = await folderWith([])
  const pipe = join(folder, 'model.gguf')
  execFileSync('mkfifo', [pipe])
  const { pull } = await bench(noHub)
  await expect(pull(`file:${pipe}`)).rejects.toThrow(`${pipe} is not a file`)
})

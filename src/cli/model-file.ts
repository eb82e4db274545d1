import { checkGgufFile, ModelFileError } from '#embedded/gguf-file.ts'
import { asClause } from '#std/as-clause.ts'

/** What is wrong with a model file, as far as its first bytes tell; null when they look right. */
export async function modelFileProblem(path: string): Promise<string | null> {
  try {
    await checkGgufFile(path)
    return null
  } catch (error) {
    if (!(error instanceof ModelFileError)) throw error
    return asClause(error.message)
  }
}

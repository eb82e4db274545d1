/** Takes secrets out of what engines write: tokens they were given, and what looks like one. */

/** Shorter values are words such as `none`, and a log full of stars helps nobody. */
const secretLengthMin = 8

const masked = '***'

/** What is a secret wherever it stands. Group 1 stays, the rest is masked. */
const secretForms: readonly RegExp[] = [
  // Hugging Face and OpenAI say what their tokens are.
  /\b(hf_|sk-)[\w-]{16,}/g,
  /\b(Bearer\s+)[\w.~+/=-]{8,}/gi,
  /(--?[\w-]{0,40}(?:api-key|token|password|secret)[ =])[^\s'"]{8,}/gi,
  /\b(\w{0,60}(?:_TOKEN|_API_KEY|_SECRET|_PASSWORD)=)[^\s'"]{8,}/g,
  // User name and password of a URL.
  /(\w:\/\/)[^\s/@:]+:[^\s/@]+(?=@)/g,
]

/** The values that this environment keeps secret, by the names of its variables. */
export function secretValues(env: Readonly<Record<string, string>>): string[] {
  return Object.entries(env).flatMap(([name, value]) =>
    /TOKEN|KEY|SECRET|PASSWORD|CREDENTIAL/i.test(name) ? [value] : [],
  )
}

/** `secrets`: values known to be secret; those shorter than 8 characters are not looked for. */
export function maskSecrets(text: string, secrets: readonly string[]): string {
  const values = secrets
    .filter(({ length }) => length >= secretLengthMin)
    // A longer one may begin with a shorter one, and its rest would show.
    .sort((a, b) => b.length - a.length)
  const withoutValues = values.reduce((now, value) => now.replaceAll(value, masked), text)
  return secretForms.reduce(
    (now, form) => now.replace(form, (_whole, kept: string) => `${kept}${masked}`),
    withoutValues,
  )
}

/** `Basic …` for the name and password in a URL; null where it has none. */
export function basicAuthorization({ username, password }: URL): string | null {
  if (username === '' && password === '') return null
  const pair = `${unescaped(username)}:${unescaped(password)}`
  return `Basic ${Buffer.from(pair).toString('base64')}`
}

/** A percent sign that escapes nothing stands for itself: URLs are typed by people. */
function unescaped(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

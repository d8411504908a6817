/** The bytes of a Base64 text, null when it is none: Node's own decoder reads anything. */
export function readBase64(text: string): Buffer | null {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : null;
}

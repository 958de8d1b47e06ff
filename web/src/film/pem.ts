const RAW_OCTETS = 32

/**
 * The 32 octets of an Ed25519 public key in base64, as a recording's log and certificates name it. In its PEM (SPKI,
 * RFC 8410 section 4) they come last. Empty for anything else.
 */
export function rawKeyOf(pem: string): string {
  const body = /-----BEGIN PUBLIC KEY-----([A-Za-z0-9+/=\s]+)-----END PUBLIC KEY-----/.exec(pem)?.[1]
  if (!body) return ''
  try {
    const octets = atob(body.replace(/\s/g, ''))
    return octets.length > RAW_OCTETS ? btoa(octets.slice(-RAW_OCTETS)) : ''
  } catch {
    return ''
  }
}

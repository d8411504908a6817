import type { Authenticator } from './authenticator.ts';
import type { Certificate, Identity, Visitor } from './identity.ts';

/** Whoever has a certificate that the listener trusts is the user whom it names. Others are not for this way to judge. */
export class CertificateUsers implements Authenticator {
  readonly #template: string;

  constructor(template: string) {
    this.#template = template;
  }

  authenticate(visitor: Visitor): Identity | null {
    const certificate = visitor.certificate();
    const username = certificate === null ? null : nameOf(this.#template, certificate);
    return username === null ? null : { username };
  }

  exchange(): null {
    return null;
  }

  close(): void {
    // nothing is held
  }
}

/** The user name; null when the certificate lacks a part of it, or has one that no user name of MQTT could hold. */
function nameOf(template: string, certificate: Certificate): string | null {
  let isWhole = true;
  const name = template.replaceAll(/\$\{(cn|dns|uri|email|serial|fingerprint)\}/g, (_, field: keyof Certificate) => {
    const value = certificate[field] ?? '';
    if (value === '' || /\p{Cc}/u.test(value)) isWhole = false;
    return value;
  });
  return isWhole ? name : null;
}

/** Commonly mapped to nothing [RFC 3454, B.1]. */
const nothing = /[\u00ad\u034f\u1806\u180b-\u180d\u200b-\u200d\u2060\ufe00-\ufe0f\ufeff]/gu;

/** Non-ASCII spaces [RFC 3454, C.1.2]. */
const spaces = /[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]/gu;

/** What may stand neither in a user name nor in a password [RFC 4013, 2.3]. */
const prohibited = new RegExp(
  [
    String.raw`\p{Cc}|\p{Co}|\p{Cs}|\p{Cn}`,
    // other control characters, and those that change how text is shown [C.2.2, C.8]
    String.raw`[\u06dd\u070f\u180e\u200c\u200d\u2028\u2029\u2060-\u2063\u206a-\u206f\ufeff\ufff9-\ufffc\u{1d173}-\u{1d17a}]`,
    String.raw`[\u0340\u0341\u200e\u200f\u202a-\u202e]`,
    // no plain text, no canonical form, tags [C.6, C.7, C.9]
    String.raw`[\ufffd\u2ff0-\u2ffb\u{e0001}\u{e0020}-\u{e007f}]`,
  ].join('|'),
  'u',
);

/**
 * Text as SCRAM compares it [RFC 4013]: invisible characters are dropped, spaces are ASCII, and what looks alike is written
 * alike (NFKC). Null when it holds something prohibited, or nothing at all.
 *
 * Two things differ from the letter of the standard: characters are judged by the Unicode of this runtime and not of the year
 * 2002, and the rule for text that mixes both directions of writing is not applied.
 */
export function saslprep(text: string): string | null {
  const prepared = text.replaceAll(nothing, '').replaceAll(spaces, ' ').normalize('NFKC');
  return prepared === '' || prohibited.test(prepared) ? null : prepared;
}

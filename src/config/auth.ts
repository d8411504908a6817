import { choice, integer, optionalText } from './option.ts';

/** Who may come in, and what they may do. */
export const authOptions = {
  passwordFile: optionalText({
    flag: '--password-file <file>',
    text: 'The users and their hashed passwords, as `swarmq passwd` writes them; the password files of mosquitto are read too. '
      + 'Looked at twice a second: changes are taken over while the node runs. Clients may use user name and password, or SCRAM-SHA-256 with MQTT 5.',
  }),
  certificateUser: optionalText({
    text: 'The user name of a client with a certificate, made of `${cn}`, `${dns}`, `${uri}`, `${email}`, `${serial}` or `${fingerprint}`; '
      + 'for example `${cn}`. Goes before the user name of CONNECT. Absent: certificates open the listener and name nobody.',
    check: (template) =>
      /^([^$]|\$\{(cn|dns|uri|email|serial|fingerprint)\})+$/.test(template) && template.includes('${')
        ? null
        : 'names nobody: use ${cn}, ${dns}, ${uri}, ${email}, ${serial} or ${fingerprint}',
  }),
  clientIds: optionalText({
    text: 'The client ids that a user may have: `*` is any text, `${username}` the name of the user; for example `${username}-*`. '
      + 'Absent: any, so that a user who knows the client id of another can take that session over.',
  }),
  aclFile: optionalText({
    flag: '--acl-file <file>',
    text: 'Who may publish and subscribe to what: rules, one a line; the access lists of mosquitto are read too. '
      + 'Looked at twice a second: changes are taken over while the node runs. Absent: whoever is let in may do everything.',
  }),
  noMatch: choice(['deny', 'allow'], {
    default: 'deny',
    text: 'What holds where no rule of `auth.aclFile` fits.',
  }),
  failures: {
    free: integer({
      default: 5,
      min: 0,
      text: 'How often in a row a user name may be refused at one address, with a wrong password or proof, before it has to wait.',
    }),
    firstDelayMs: integer({
      default: 1_000,
      min: 0,
      max: 3_600_000,
      unit: 'ms',
      text: 'How long it has to wait then; twice as long after each further failure. Meanwhile it is refused unheard (0x9F). 0: never.',
    }),
    maxDelayMs: integer({ default: 60_000, min: 0, max: 3_600_000, unit: 'ms', text: 'The longest that it has to wait.' }),
  },
  hashesAtOnce: integer({
    default: 2,
    min: 1,
    max: 64,
    text: 'How many passwords are checked at the same time, in threads of their own. The runtime has four threads unless `UV_THREADPOOL_SIZE` says otherwise.',
  }),
  maxWaitingHashes: integer({
    default: 1_000,
    min: 0,
    text: 'Most passwords that wait to be checked. Over it clients are refused as long as the server is busy (0x89).',
  }),
} as const;

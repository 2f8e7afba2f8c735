import { z } from 'zod';

/** A host name or an address. */
export const Host = z
  .string()
  .min(1)
  .max(253)
  // Not an option of the program that gets it.
  .regex(/^[a-zA-Z0-9:[][a-zA-Z0-9.:%[\]-]*$/, 'expected a host name or an address');
const User = z.string().regex(/^[a-zA-Z0-9._@][a-zA-Z0-9._@-]{0,63}$/, 'expected a user name');

/** Service processors by the protocol that they speak. Passwords are in files: never in arguments, logs or the database. */
export const BmcConfig = z.discriminatedUnion('protocol', [
  z.strictObject({
    protocol: z.literal('ipmi'),
    host: Host,
    port: z.number().int().min(1).max(65535).default(623),
    user: User,
    passwordFile: z.string().min(1),
    /** RMCP+ cipher suite; without it 17 is tried, then 3. */
    cipherSuite: z.number().int().min(1).max(17).optional(),
    /** What the session asks for: a BMC gives a user no more than the user has. */
    privilege: z.enum(['operator', 'administrator']).default('administrator'),
  }),
  z.strictObject({
    protocol: z.literal('redfish'),
    url: z.url({ protocol: /^https?$/, error: 'expected an http or https URL' }),
    user: User,
    passwordFile: z.string().min(1),
    /** SHA-256 of the certificate that it shows, for those that sign their own. */
    certificateSha256: z
      .string()
      .regex(/^(?:[0-9a-fA-F]{2}:?){32}$/, 'expected the SHA-256 fingerprint of a certificate, 64 hex digits')
      .transform((text) => text.replaceAll(':', '').toLowerCase())
      .optional(),
    /** Id of the system among its members; needed when there are several. */
    system: z.string().min(1).max(200).optional(),
  }),
]);
export type Bmc = z.infer<typeof BmcConfig>;
export type IpmiBmc = Extract<Bmc, { protocol: 'ipmi' }>;
export type RedfishBmc = Extract<Bmc, { protocol: 'redfish' }>;

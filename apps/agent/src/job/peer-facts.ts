import { z } from 'zod';

/** One word of what a machine says about itself: it comes from the kernel under test, and suites get it. */
const Word = z.string().regex(/^[0-9A-Za-z._:+~%-]{1,128}$/);
const Address = z.string().regex(/^[0-9.]{7,15}\/[0-9]{1,2}$/);

/** What the participants tell each other of their machines before the suites. */
export const PeerFacts = z.object({
  kernel: Word,
  /** The network device that leads to the peers; null where the agent's config names none. */
  link: Word.nullable(),
  /** Its IPv4 address with the length of the prefix. */
  address: Address.nullable(),
  /** The RDMA device on it, and its GID of RoCE v2 for that address; null while there is none. */
  rdmaDevice: Word.nullable(),
  gid: Word.nullable(),
});
export type PeerFacts = z.infer<typeof PeerFacts>;

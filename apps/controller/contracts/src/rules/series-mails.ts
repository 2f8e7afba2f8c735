/** Which mails of an mbox are the series: one rule for what is shown before a build and for what is built. Pure. */

/** What is known of a mail, in the order of the mbox. */
export interface SeriesMail {
  /** Decoded, with what stands in brackets before it. */
  subject: string;
  hasDiff: boolean;
  messageId: string | null;
}

export interface ChosenMails {
  /** Indexes of the mails whose patches are applied, in this order. */
  take: number[];
  /** Mails that are no part of it, and why. */
  leftOut: { subject: string; why: string }[];
  /** Why the mails are no series that can be built; null when they are. */
  problem: string | null;
}

interface Tags {
  /** Without the brackets and `Re:` before it. */
  title: string;
  isReply: boolean;
  /** 1 where it says none. */
  version: number;
  /** `2/3`; null where it says none. */
  place: { number: number; total: number } | null;
}

const REPLY = /^(?:re|aw|sv|antw|fwd?|wg)\s{0,5}:\s{0,5}/i;
const VERSION = /\bv(\d{1,3})\b/i;
const PLACE = /\b(\d{1,4})\s{0,3}(?:\/|of)\s{0,3}(\d{1,4})\b/i;
/** Brackets before a subject: `[RFC][PATCH v2 1/3]`. */
const BRACKETS_MAX = 6;

/** What the subject of a mail says of its place in a series. */
export function subjectTags(subject: string): Tags {
  let rest = subject.trim();
  let isReply = false;
  const tags: string[] = [];
  for (let count = 0; count < 2 * BRACKETS_MAX; count += 1) {
    const reply = REPLY.exec(rest);
    const end = rest.startsWith('[') ? rest.indexOf(']') : -1;
    if (reply !== null) {
      isReply = true;
      rest = rest.slice(reply[0].length);
    } else if (end !== -1) {
      tags.push(rest.slice(1, end));
      rest = rest.slice(end + 1).trimStart();
    } else break;
  }
  const text = tags.join(' ');
  const place = PLACE.exec(text);
  return {
    title: rest,
    isReply,
    version: Number(VERSION.exec(text)?.[1] ?? 1),
    place: place === null ? null : { number: Number(place[1]), total: Number(place[2]) },
  };
}

/** Longest subject that a message quotes, in characters, and how many of them. */
const QUOTED_MAX = 80;
const NAMED_MAX = 5;
const quoted = (subject: string): string =>
  `"${subject.length > QUOTED_MAX ? `${subject.slice(0, QUOTED_MAX)}…` : subject}"`;

type Tagged = Tags & { index: number; subject: string };

/**
 * Replies, cover letters and mails that are there twice are left out, by name. Patches of two versions of a series, and a
 * numbered series with a hole, are refused: what would be built is not what anybody wrote.
 */
export function chooseMails(mails: readonly SeriesMail[]): ChosenMails {
  const leftOut: ChosenMails['leftOut'] = [];
  const seen = new Set<string>();
  const patches: Tagged[] = [];
  for (const [index, { subject, hasDiff, messageId }] of mails.entries()) {
    const tags = subjectTags(subject);
    if (messageId !== null && seen.has(messageId)) leftOut.push({ subject, why: 'the same mail again' });
    else if (!hasDiff) leftOut.push({ subject, why: whyNoPatch(tags) });
    else patches.push({ ...tags, index, subject });
    if (messageId !== null) seen.add(messageId);
  }
  const own = patches.filter(({ isReply }) => !isReply);
  const used = own.length > 0 ? own : patches;
  for (const { subject } of patches.filter((patch) => !used.includes(patch))) {
    leftOut.push({ subject, why: 'a reply; its diff is no part of the series' });
  }
  if (used.length === 0) return { take: [], leftOut, problem: whyNothing(leftOut) };
  const problem = whyMixed(used) ?? whyIncomplete(used);
  return { take: problem === null ? inOrder(used).map(({ index }) => index) : [], leftOut, problem };
}

function whyNoPatch({ isReply, place }: Tags): string {
  if (isReply) return 'a reply without a patch';
  return place?.number === 0 ? 'the cover letter' : 'there is no patch in it';
}

function whyNothing(leftOut: ChosenMails['leftOut']): string {
  const [first] = leftOut;
  if (first === undefined || (leftOut.length === 1 && first.subject === '')) return 'there is no patch in this text';
  if (leftOut.length === 1) return `there is no patch in this text, only ${quoted(first.subject)}: ${first.why}`;
  return `there is no patch in any of its ${leftOut.length} mails, such as ${quoted(first.subject)}`;
}

/** Two versions of one series; patches that are not numbered belong together by their subject. */
function whyMixed(patches: readonly Tagged[]): string | null {
  const byGroup = new Map<string, Tagged>();
  for (const patch of patches) {
    const group = patch.place === null ? `title ${patch.title}` : 'numbered';
    const first = byGroup.get(group) ?? patch;
    byGroup.set(group, first);
    if (first.version === patch.version) continue;
    return `mails of v${first.version} and v${patch.version} are mixed: ${quoted(first.subject)} and ${quoted(patch.subject)}`;
  }
  return null;
}

/** Numbered patches by how many their series has. */
function numbered(patches: readonly Tagged[]): Map<number, Map<number, Tagged[]>> {
  const series = new Map<number, Map<number, Tagged[]>>();
  for (const patch of patches) {
    if (patch.place === null || patch.place.number === 0) continue;
    const { number, total } = patch.place;
    const places = series.get(total) ?? new Map<number, Tagged[]>();
    series.set(total, places.set(number, [...(places.get(number) ?? []), patch]));
  }
  return series;
}

function whyIncomplete(patches: readonly Tagged[]): string | null {
  for (const [total, places] of numbered(patches)) {
    const [present] = [...places.values()].flat();
    const missing = Array.from({ length: total }, (_, at) => at + 1).filter((number) => !places.has(number));
    if (missing.length > 0 && present !== undefined) {
      const shown = missing.slice(0, NAMED_MAX).map((number) => `${number}/${total}`);
      const more = missing.length > NAMED_MAX ? ` and ${missing.length - NAMED_MAX} more` : '';
      return `${quoted(present.subject)} is there, but ${shown.join(', ')}${more} ${missing.length === 1 ? 'is' : 'are'} missing`;
    }
    const counts = new Set([...places.values()].map((mails) => mails.length));
    if (counts.size > 1) {
      const twice = [...places].find(([, mails]) => mails.length > 1);
      const names = (twice?.[1] ?? []).slice(0, NAMED_MAX).map(({ subject }) => quoted(subject));
      return `${twice?.[0] ?? 1}/${total} is there more than once: ${names.join(' and ')}`;
    }
  }
  return null;
}

/** In the order of their numbers, where there is one of each; otherwise as they stand. */
function inOrder(patches: readonly Tagged[]): Tagged[] {
  const ordered = [...patches];
  for (const places of numbered(patches).values()) {
    if ([...places.values()].some((mails) => mails.length > 1)) continue;
    const slots = ordered.flatMap((patch, at) => (places.get(patch.place?.number ?? 0)?.[0] === patch ? [at] : []));
    const sorted = [...places].toSorted(([a], [b]) => a - b).flatMap(([, mails]) => mails);
    for (const [at, slot] of slots.entries()) {
      const patch = sorted[at];
      if (patch !== undefined) ordered[slot] = patch;
    }
  }
  return ordered;
}

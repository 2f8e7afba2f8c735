import { createHash } from 'node:crypto';
import { cleanText, mailHeaderEnd, parsePatch } from '@peerlab/contracts';

/**
 * Splits mbox text as kernel/scripts/split-series.pl does, byte for byte, so that the patches have the digests that a
 * bundle's manifest names. Cover letters are dropped.
 * @returns each patch with its SHA-256, in the order of the text
 */
export function splitMbox(mbox: string): { sha256: string; content: Buffer }[] {
  return mailsOf(mbox).flatMap(({ patch }) => {
    if (patch === null) return [];
    const content = Buffer.from(patch, 'latin1');
    return [{ sha256: createHash('sha256').update(content).digest('hex'), content }];
  });
}

/** What an mbox holds, as the builder will take it. */
export interface MboxContent {
  /** Subjects of its patches in their order, without `[PATCH 1/2]`; empty for a diff without a mail header. */
  subjects: string[];
  /** Why the builder will refuse it; null when it will not. */
  problem: string | null;
}

/** A mail without a diff whose subject says `[PATCH 0/3]`: no patch, and no mistake. */
const COVER_LETTER = /^Subject:[^\n]{0,100}?\[[^\]\n]{0,100}\b0{1,9}\/\d/im;

/** Reads an mbox without keeping its patches. Never throws, whatever the text is. */
export function readMbox(mbox: string): MboxContent {
  const subjects: string[] = [];
  const mails = mailsOf(mbox);
  for (const [index, { header, patch }] of mails.entries()) {
    const { subject } = parsePatch(Buffer.from(header, 'latin1').toString('utf8'), { lines: false });
    if (patch !== null) subjects.push(subject ?? '');
    else if (!COVER_LETTER.test(header)) {
      const which = mails.length === 1 ? 'this text' : `mail ${index + 1} of ${mails.length}${named(subject)}`;
      return { subjects, problem: `there is no patch in ${which}` };
    }
  }
  return { subjects, problem: subjects.length === 0 ? 'there is no patch in this text, only a cover letter' : null };
}

const named = (subject: string | null): string => (subject === null ? '' : `, "${cleanText(subject, 80)}"`);

/** The mails of an mbox, one character per byte, because a decoded body need not be UTF-8. */
function mailsOf(mbox: string): { header: string; patch: string | null }[] {
  const messages = messagesOf(Buffer.from(mbox, 'utf8').toString('latin1'));
  return messages.map((message) =>
    decodeMail(messages.length > 1 ? message.replaceAll(/^>(>*From )/gm, '$1') : message),
  );
}

/** Messages of an mbox. Each starts with a line `From … YEAR`; text before the first such line is a message, too. */
function messagesOf(text: string): string[] {
  const messages: string[] = [];
  let start = 0;
  for (let at = 0; at < text.length; ) {
    const end = text.indexOf('\n', at);
    const line = text.slice(at, end === -1 ? text.length : end).trimEnd();
    if (
      at > start &&
      line.startsWith('From ') &&
      /\S/.test(line.slice(5, 6)) &&
      /^\d{4}$/.test(line.slice(6).slice(-4))
    ) {
      messages.push(text.slice(start, at));
      start = at;
    }
    at = end === -1 ? text.length : end + 1;
  }
  messages.push(text.slice(start));
  return messages.filter((message) => /\S/.test(message));
}

/** Joins patches to one mbox, with the separators and the quoting that `git am` expects. */
export function joinMbox(patches: readonly string[]): string {
  return patches
    .map((patch) => {
      const [first = '', ...rest] = patch.split('\n');
      const head = first.startsWith('From ') ? first : `From ${'0'.repeat(40)} Mon Sep 17 00:00:00 2001\n${first}`;
      const quoted = [head, ...rest.map((line) => line.replace(/^(>*From )/, '>$1'))].join('\n');
      return quoted.endsWith('\n') ? quoted : `${quoted}\n`;
    })
    .join('\n');
}

/** Header of a message, and all of it with its body decoded; null when that contains no diff. */
function decodeMail(message: string): { header: string; patch: string | null } {
  const plain = message.replaceAll('\r\n', '\n');
  const header = plain.slice(0, mailHeaderEnd(plain));
  const encoding = /^Content-Transfer-Encoding:\s*(\S+)/im.exec(header)?.[1]?.toLowerCase();
  const body = decodeBody(plain.slice(header.length), encoding).replaceAll('\r\n', '\n');
  return { header, patch: hasDiff(body) ? header + body : null };
}

/** Whether the text contains hunks, or a file that is added, deleted, renamed or changes its mode. */
function hasDiff(body: string): boolean {
  if (/^--- \S.*\n\+\+\+ \S/m.test(body)) return true;
  const first = /^diff --git .*\n/m.exec(body);
  // Only after the first match: otherwise a text of many such lines would take quadratic time.
  return (
    first !== null && /^(?:new file|deleted file|rename|old mode)/m.test(body.slice(first.index + first[0].length))
  );
}

function decodeBody(body: string, encoding: string | undefined): string {
  if (encoding === 'base64') return Buffer.from(body, 'base64').toString('latin1');
  if (encoding !== 'quoted-printable') return body;
  return body
    .split('\n')
    .map(withoutBlanksAtEnd)
    .join('\n')
    .replaceAll('=\n', '')
    .replaceAll(/=([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

function withoutBlanksAtEnd(line: string): string {
  let end = line.length;
  while (end > 0 && (line[end - 1] === ' ' || line[end - 1] === '\t')) end -= 1;
  return line.slice(0, end);
}

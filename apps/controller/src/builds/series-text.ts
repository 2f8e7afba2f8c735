import { createHash } from 'node:crypto';
import { chooseMails, mailHeaderEnd, mailSubject, parsePatch, type ChosenMails } from '@peerlab/contracts';
import { decodedBody } from './mail-body.js';

/**
 * Reads an mbox for people: what is in it, and whether it is a series. The builder reads it with git and decides; where the
 * two differ this one must not refuse what git takes.
 * @returns the patches that would be applied, each with its SHA-256, in their order
 */
export function splitMbox(mbox: string): { sha256: string; content: Buffer }[] {
  const mails = mailsOf(mbox);
  return chooseMails(mails).take.flatMap((index) => {
    const mail = mails[index];
    if (mail === undefined) return [];
    const content = Buffer.from(mail.header + mail.body, 'latin1');
    return [{ sha256: createHash('sha256').update(content).digest('hex'), content }];
  });
}

/** What an mbox holds, as far as can be told without the builder. */
export interface MboxContent extends Pick<ChosenMails, 'leftOut' | 'problem'> {
  /** Subjects of its patches in their order, without `[PATCH 1/2]`; empty for a diff without a mail header. */
  subjects: string[];
  /** The commit that the series says it stands on; null when it says none. */
  baseCommit: string | null;
}

/** Reads an mbox without keeping its patches. Never throws, whatever the text is. */
export function readMbox(mbox: string): MboxContent {
  const mails = mailsOf(mbox);
  const { take, leftOut, problem } = chooseMails(mails);
  const subjects = take.map((index) => {
    const header = Buffer.from(mails[index]?.header ?? '', 'latin1').toString('utf8');
    return parsePatch(header, { lines: false }).subject ?? '';
  });
  const baseCommit = mails.map(({ body }) => BASE_COMMIT.exec(body)?.[1]).find((commit) => commit !== undefined);
  return { subjects, leftOut, problem, baseCommit: baseCommit ?? null };
}

const BASE_COMMIT = /^base-commit: ([0-9a-f]{40})\b/m;

interface Mail {
  /** With the empty line behind it; one character per byte, as the body, because that need not be UTF-8. */
  header: string;
  body: string;
  subject: string;
  messageId: string | null;
  hasDiff: boolean;
}

function mailsOf(mbox: string): Mail[] {
  return messagesOf(Buffer.from(mbox, 'utf8').toString('latin1')).map((message) => {
    const plain = message.replaceAll('\r\n', '\n');
    const header = plain.slice(0, mailHeaderEnd(plain));
    const body = decodedBody(header, plain.slice(header.length));
    return {
      header,
      body,
      subject: mailSubject(Buffer.from(header, 'latin1').toString('utf8')) ?? '',
      messageId: /^message-id:[ \t]{0,9}(\S{1,250})/im.exec(header)?.[1] ?? null,
      hasDiff: hasDiff(body),
    };
  });
}

/** Messages of an mbox; a text that does not begin with a separator is one message, as for git mailsplit. */
function messagesOf(text: string): string[] {
  const begin = text.search(/\S/);
  if (begin === -1) return [];
  if (!isSeparator(lineAt(text, begin))) return [text.slice(begin)];
  const messages: string[] = [];
  let start = begin;
  for (let at = begin; at < text.length; ) {
    const line = lineAt(text, at);
    if (at > start && isSeparator(line)) {
      messages.push(text.slice(start, at));
      start = at;
    }
    at += line.length + 1;
  }
  return [...messages, text.slice(start)];
}

function lineAt(text: string, at: number): string {
  const end = text.indexOf('\n', at);
  return text.slice(at, end === -1 ? text.length : end);
}

/** `From SENDER … 12:30:00 2026`: by git's own rule, so that words of a message do not split it. */
function isSeparator(line: string): boolean {
  if (!line.startsWith('From ') || line.length < 19) return false;
  const colon = line.lastIndexOf(':');
  const time = line.slice(Math.max(0, colon - 4), colon + 3);
  return colon >= 9 && /^\d.\d\d:\d\d$/.test(time) && Number.parseInt(line.slice(colon + 3, colon + 12), 10) > 90;
}

/** Whether git would find a patch in the text. */
function hasDiff(body: string): boolean {
  return /^diff --git /m.test(body) || /^--- \S.*\n\+\+\+ \S/m.test(body);
}

const SEPARATOR = `From ${'0'.repeat(40)} Mon Sep 17 00:00:00 2001\n`;
/** Characters of a line of base64 in a mail. */
const BASE64_LINE = /.{1,76}/g;

/**
 * Joins patches to one mbox that `git am` applies to the same tree. A body that a mail cannot carry as it is, with carriage
 * returns, bytes that are no UTF-8 or lines that look like a separator, is encoded.
 */
export function joinMbox(patches: readonly Buffer[]): Buffer {
  return Buffer.concat(
    patches.flatMap((patch) => {
      const text = patch.toString('latin1');
      const written = text.slice(0, mailHeaderEnd(text));
      // git am wants an author; a bare diff has none.
      const header =
        written === '' ? 'From: unknown <unknown@localhost>\nSubject: [PATCH] a patch without a subject\n\n' : written;
      const body = text.slice(written.length);
      const from = header.startsWith('From ') ? '' : SEPARATOR;
      const bytes = Buffer.from(body, 'latin1');
      if (isPlain(body, bytes))
        return [Buffer.from(`${from}${header}${body}${body.endsWith('\n') ? '' : '\n'}\n`, 'latin1')];
      const mime = 'MIME-Version: 1.0\nContent-Type: text/plain; charset=UTF-8\nContent-Transfer-Encoding: base64\n\n';
      const encoded = (bytes.toString('base64').match(BASE64_LINE) ?? []).join('\n');
      return [Buffer.from(`${from}${header.slice(0, -1)}${mime}${encoded}\n\n`, 'latin1')];
    }),
  );
}

function isPlain(body: string, bytes: Buffer): boolean {
  if (body.includes('\r') || body.includes('\0') || !bytes.equals(Buffer.from(bytes.toString('utf8')))) return false;
  return !/^From /m.test(body);
}

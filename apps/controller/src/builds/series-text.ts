import { createHash } from 'node:crypto';

/**
 * Takes mbox text apart as kernel/scripts/split-series.pl does, byte for byte, so that what comes out
 * has the digests that a bundle's manifest names. Cover letters are left out.
 * @returns each patch with its SHA-256, in the order of the text
 */
export function splitMbox(mbox: string): { sha256: string; content: Buffer }[] {
  // One letter a byte: a decoded body need not be UTF-8.
  const text = Buffer.from(mbox, 'utf8').toString('latin1');
  const messages = text.split(/^(?=From \S+.*\d{4}\s*$)/m).filter((message) => /\S/.test(message));
  return messages.flatMap((message) => {
    const patch = decodePatch(messages.length > 1 ? message.replaceAll(/^>(>*From )/gm, '$1') : message);
    if (patch === null) return [];
    const content = Buffer.from(patch, 'latin1');
    return [{ sha256: createHash('sha256').update(content).digest('hex'), content }];
  });
}

/** Makes one mbox of patches, each with the separator and the quoting that `git am` expects. */
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

const HEADER = /^(?:From [^\n]*\n)?(?:[A-Za-z0-9-]+:[^\n]*\n(?:[ \t][^\n]*\n)*)+\n/;
const HAS_DIFF = /^--- \S.*\n\+\+\+ \S|^diff --git .*\n(?:.*\n)*?(?:new file|deleted file|rename|old mode)/m;

/** Header and decoded body of a message; null when there is no diff in it. */
function decodePatch(message: string): string | null {
  const plain = message.replaceAll('\r\n', '\n');
  const header = HEADER.exec(plain)?.[0] ?? '';
  const encoding = /^Content-Transfer-Encoding:\s*(\S+)/im.exec(header)?.[1]?.toLowerCase();
  const body = decodeBody(plain.slice(header.length), encoding).replaceAll('\r\n', '\n');
  return HAS_DIFF.test(body) ? header + body : null;
}

function decodeBody(body: string, encoding: string | undefined): string {
  if (encoding === 'base64') return Buffer.from(body, 'base64').toString('latin1');
  if (encoding !== 'quoted-printable') return body;
  return body
    .replaceAll(/[ \t]+$/gm, '')
    .replaceAll('=\n', '')
    .replaceAll(/=([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

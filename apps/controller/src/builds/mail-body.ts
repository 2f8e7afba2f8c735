/** Decodes the bodies of mails for people, one character per byte; the builder's git does it for the kernel. */

/** Parts within parts that are looked at. */
const DEPTH_MAX = 5;
const PARTS_MAX = 100;

/** The text of a mail: of all its parts that are text, decoded from base64 or quoted-printable. */
export function decodedBody(header: string, body: string, depth = 0): string {
  const type = fieldOf(header, 'content-type');
  const boundary = /^multipart\//i.test(type) ? boundaryOf(type) : null;
  if (boundary !== null && depth < DEPTH_MAX) {
    return partsOf(body, boundary)
      .map((part) => {
        const end = part.startsWith('\n') ? 1 : part.indexOf('\n\n') + 2;
        const own = end < 2 && !part.startsWith('\n') ? '' : part.slice(0, end);
        const isText = /^(?:text\/|multipart\/|$)/i.test(fieldOf(own, 'content-type'));
        return isText ? decodedBody(own, part.slice(own.length), depth + 1) : '';
      })
      .join('\n');
  }
  switch (fieldOf(header, 'content-transfer-encoding').split(/[\s;]/, 1)[0]?.toLowerCase()) {
    case 'base64':
      return Buffer.from(body, 'base64').toString('latin1').replaceAll('\r\n', '\n');
    case 'quoted-printable':
      return fromQuoted(body).replaceAll('\r\n', '\n');
    default:
      return body;
  }
}

/** A field with its folded lines; empty when the header has none. */
function fieldOf(header: string, name: string): string {
  const lines = header.split('\n');
  const at = lines.findIndex((line) => line.slice(0, name.length + 1).toLowerCase() === `${name}:`);
  if (at === -1) return '';
  let end = at + 1;
  while (end < lines.length && /^[ \t]/.test(lines[end] ?? '')) end += 1;
  return lines
    .slice(at, end)
    .join(' ')
    .slice(name.length + 1)
    .trim();
}

function boundaryOf(type: string): string | null {
  const found = /boundary\s{0,9}=\s{0,9}(?:"([^"]{1,200})"|([^\s;"]{1,200}))/i.exec(type);
  return found?.[1] ?? found?.[2] ?? null;
}

function partsOf(body: string, boundary: string): string[] {
  const parts: string[] = [];
  let part: string[] | null = null;
  for (const line of body.split('\n')) {
    if (line.startsWith(`--${boundary}`)) {
      if (part !== null) parts.push(part.join('\n'));
      if (line.startsWith(`--${boundary}--`) || parts.length >= PARTS_MAX) return parts;
      part = [];
    } else part?.push(line);
  }
  if (part !== null) parts.push(part.join('\n'));
  return parts;
}

function fromQuoted(body: string): string {
  return body
    .split('\n')
    .map((line) => withoutBlanksAtEnd(line))
    .join('\n')
    .replaceAll('=\n', '')
    .replaceAll(/=([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

function withoutBlanksAtEnd(line: string): string {
  let end = line.length;
  while (end > 0 && (line[end - 1] === ' ' || line[end - 1] === '\t')) end -= 1;
  return line.slice(0, end);
}

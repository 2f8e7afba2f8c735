/** An archive or a folder holds something that is not accepted; the message says what and where. */
export class ArchiveError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ArchiveError';
  }
}

/** Characters of a name that a message repeats; enough to find the entry, too few to flood a log. */
const SHOWN_CHARACTERS = 120;

/** A name for messages: in quotes, control characters escaped, cut to a readable length. */
export function showName(name: string): string {
  return JSON.stringify(name.length > SHOWN_CHARACTERS ? `${name.slice(0, SHOWN_CHARACTERS)}…` : name);
}

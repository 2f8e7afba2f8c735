import { type Column, JSON_VALUES } from './columns.js';
import { LooseJson, type LooseObject } from './loose-json.js';
import type { PerftestRow } from './model.js';
import { isNumber, isWhole } from './numbers.js';

/** Result objects of one JSON form. */
const OBJECTS_MAX = 1000;

/** A value that cannot be used, and why. */
export interface JsonComplaint {
  id: 'value' | 'unit';
  text: string;
}

/** The JSON form of one test, read line by line. */
export class JsonForm {
  readonly settings = new Map<string, string>();
  /** Whether its keys are quoted, as versions after 6.06 do. */
  hasQuotedKeys = false;
  readonly #objects: LooseObject[] = [];
  readonly #reader = new LooseJson((object) => {
    if (object.has('MsgSize')) {
      if (this.#objects.length < OBJECTS_MAX) this.#objects.push(object);
    } else for (const [name, value] of object) this.settings.set(name, value);
  });

  /** Whether a line begins one: perftest writes the first bracket on a line of its own. */
  static isBegun(line: string): boolean {
    return line.trimEnd() === '{' || (line.startsWith('{') && line.includes('test_info'));
  }

  get isOver(): boolean {
    return this.#reader.isOver;
  }

  push(line: string): void {
    this.hasQuotedKeys ||= line.includes('":');
    this.#reader.push(line);
  }

  rows(complain: (complaint: JsonComplaint) => void): PerftestRow[] {
    return this.#objects.flatMap((object) => rowOf(object, complain) ?? []);
  }
}

function rowOf(object: LooseObject, complain: (complaint: JsonComplaint) => void): PerftestRow | null {
  const text = JSON.stringify(Object.fromEntries(object));
  const size = object.get('MsgSize');
  if (!isWhole(size)) {
    complain({ id: 'value', text });
    return null;
  }
  const [iterations, level] = [object.get('n_iterations'), object.get('sl')];
  const row: PerftestRow = {
    bytes: Number(size),
    iterations: isWhole(iterations) ? Number(iterations) : null,
    level: isWhole(level) ? Number(level) : null,
    values: [],
  };
  const unit = unitOfBandwidth(row.bytes, Number(object.get('BW_average')), Number(object.get('MsgRate')));
  for (const [name, word] of object) {
    const known = JSON_VALUES.get(name);
    if (known === undefined) continue;
    const column: Column | null = known.unit !== '' ? known : unit === null ? null : { ...known, unit };
    if (column === null) complain({ id: 'unit', text });
    else if (!isNumber(word)) complain({ id: 'value', text });
    else row.values.push({ column, value: Number(word) });
  }
  return row;
}

/** How far a bandwidth may be from size times message rate: both are rounded. */
const ROUNDING = 0.25;

/**
 * The unit of a bandwidth that stands without one: size times message rate is the bandwidth, and the same value is
 * 119 times larger in MiB/s than in Gb/s. Null when it is neither.
 */
export function unitOfBandwidth(bytes: number, average: number, megaMessages: number): 'MiB/s' | 'Gb/s' | null {
  const bytesPerSecond = bytes * megaMessages * 1e6;
  if (!(bytesPerSecond > 0) || !(average > 0)) return null;
  const isNear = (value: number): boolean => Math.abs(Math.log(average / value)) < Math.log(1 + ROUNDING);
  if (isNear(bytesPerSecond / 2 ** 20)) return 'MiB/s';
  return isNear((bytesPerSecond * 8) / 1e9) ? 'Gb/s' : null;
}

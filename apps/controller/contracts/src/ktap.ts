import { z } from 'zod';
import { Proof } from './verdict.js';

/** The line `# metric: {…}` of a suite. Units stand in the value, e.g. `ns/page`. */
export const Metric = z.object({
  name: z.string().min(1).max(128),
  unit: z.string().min(1).max(32),
  better: z.enum(['lower', 'higher']),
  samples: z.array(z.number()).min(1).max(10_000),
  params: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).default({}),
});
export type Metric = z.infer<typeof Metric>;

/** What one line of suite output means. Anything else is plain text and gives no event. */
export type KtapEvent =
  | { type: 'plan'; count: number; depth: number }
  | { type: 'starting'; test: string }
  | {
      type: 'result';
      number: number;
      test: string;
      ok: boolean;
      directive: 'SKIP' | 'TODO' | 'XFAIL' | 'TIMEOUT' | null;
      reason: string | null;
      depth: number;
    }
  | { type: 'proof'; proof: Proof }
  | { type: 'metric'; metric: Metric }
  | { type: 'oracle-read'; offset: number; lengthBytes: number }
  | { type: 'bail-out'; reason: string }
  | { type: 'malformed'; problem: string };

const RESULT = /^( *)(not )?ok (\d+)(?: -)?(?: ([^#]*?))?(?:\s*#\s*(SKIP|TODO|XFAIL|TIMEOUT)\b:?\s*(.*))?$/i;
const PLAN = /^( *)1\.\.(\d+)(?:\s*#.*)?$/;
const ORACLE = /^@oracle read (0x[0-9a-f]+|\d+) (\d+)$/;

/** Largest answer of the host's oracle in one request, in bytes. */
export const ORACLE_MAX_BYTES = 4096;

/**
 * Reads one line of KTAP (Documentation/dev-tools/ktap.rst) plus the farm's own diagnostics
 * `# test:`, `# proof:`, `# metric:` and `@oracle read`. Depth counts two-space indents of nested
 * KTAP. Returns null for plain text; never throws.
 */
export function parseKtapLine(raw: string): KtapEvent | null {
  const line = raw.endsWith('\r') ? raw.slice(0, -1) : raw;
  const result = RESULT.exec(line);
  if (result !== null) {
    const directive = result[5]?.toUpperCase() as 'SKIP' | 'TODO' | 'XFAIL' | 'TIMEOUT' | undefined;
    return {
      type: 'result',
      number: Number(result[3]),
      test: (result[4] ?? '').trim(),
      ok: result[2] === undefined,
      directive: directive ?? null,
      reason: result[6]?.trim() ? result[6].trim() : null,
      depth: Math.floor((result[1] ?? '').length / 2),
    };
  }
  const plan = PLAN.exec(line);
  if (plan !== null) return { type: 'plan', count: Number(plan[2]), depth: Math.floor((plan[1] ?? '').length / 2) };
  if (line.startsWith('# test: ')) return { type: 'starting', test: line.slice(8).trim() };
  if (line.startsWith('# proof: ')) return fromJson(line.slice(9), Proof, (proof) => ({ type: 'proof', proof }));
  if (line.startsWith('# metric: ')) return fromJson(line.slice(10), Metric, (metric) => ({ type: 'metric', metric }));
  if (line.startsWith('@oracle ')) return parseOracle(line);
  if (line.startsWith('Bail out!')) return { type: 'bail-out', reason: line.slice(9).trim() };
  return null;
}

function parseOracle(line: string): KtapEvent {
  const match = ORACLE.exec(line);
  const lengthBytes = Number(match?.[2]);
  if (match === null || lengthBytes < 1 || lengthBytes > ORACLE_MAX_BYTES) {
    return {
      type: 'malformed',
      problem: `expected "@oracle read OFFSET LENGTH" with LENGTH 1…${ORACLE_MAX_BYTES}: ${line}`,
    };
  }
  return { type: 'oracle-read', offset: Number(match[1]), lengthBytes };
}

function fromJson<T>(text: string, schema: z.ZodType<T>, event: (value: T) => KtapEvent): KtapEvent {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { type: 'malformed', problem: `not JSON: ${text.slice(0, 200)}` };
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return event(parsed.data);
  return { type: 'malformed', problem: z.prettifyError(parsed.error) };
}

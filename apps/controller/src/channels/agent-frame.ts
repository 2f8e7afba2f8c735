import { AgentMachine, cleanText, Fence, FromAgent, HeldParticipant, HeldReservation, Name } from '@peerlab/contracts';
import { z } from 'zod';

/** Longest description of a problem with a frame, in characters: it is logged and shown at the machine. */
const PROBLEM_MAX = 300;

/** A frame of a known type that does not match its schema, with its machine or participant if they can be read. */
export interface MalformedFrame {
  type: FromAgent['type'];
  problem: string;
  /** Of an inventory. */
  machine: string | null;
  /** Of a frame about a participant. */
  participant: Pick<HeldParticipant, 'participantId' | 'fence'> | null;
}

export type AgentFrame =
  /** `repaired` = the problem of the parts that were left out of a report; null = the report is complete. */
  | { kind: 'frame'; frame: FromAgent; repaired: string | null }
  | { kind: 'malformed'; malformed: MalformedFrame }
  /** The sender does not speak the protocol: no frame of it can be trusted. */
  | { kind: 'unreadable'; problem: string };

const TYPES: ReadonlySet<unknown> = new Set(FromAgent.options.map(({ shape }) => shape.type.value));
const Subject = z.object({ participantId: z.uuid(), fence: Fence });

/** Reads what an agent sent. Never throws. */
export function readAgentFrame(data: Buffer): AgentFrame {
  let value: unknown;
  try {
    value = JSON.parse(data.toString());
  } catch {
    return { kind: 'unreadable', problem: 'the frame is not JSON' };
  }
  const fields = recordOf(value);
  const parsed = FromAgent.safeParse(fields);
  if (parsed.success) return { kind: 'frame', frame: parsed.data, repaired: null };
  const problem = describe(parsed.error);
  if (fields === null || !isType(fields['type']))
    return { kind: 'unreadable', problem: `not a known frame: ${problem}` };
  const { type } = fields;
  if (type === 'hello' || type === 'heartbeat') {
    const again = FromAgent.safeParse(repairReport(fields));
    if (again.success) return { kind: 'frame', frame: again.data, repaired: problem };
    // Without a hello the agent of the connection is unknown.
    if (type === 'hello') return { kind: 'unreadable', problem };
  }
  return { kind: 'malformed', malformed: malformedFrame(type, fields, problem) };
}

/** Describes a frame that could be read but not stored as a malformed one. */
export function asMalformed(frame: FromAgent, problem: string): MalformedFrame {
  return malformedFrame(frame.type, { ...frame }, problem);
}

function malformedFrame(type: FromAgent['type'], fields: Record<string, unknown>, problem: string): MalformedFrame {
  const machine = Name.safeParse(fields['machine']);
  const participant = Subject.safeParse(fields);
  return {
    type,
    problem,
    machine: type === 'inventory' && machine.success ? machine.data : null,
    participant: participant.success ? participant.data : null,
  };
}

/**
 * Repairs a report in which single machines or participants are not readable, so that it still counts for the others. Such
 * a machine becomes unreachable with the problem as its reason; such a participant is held without further details.
 */
function repairReport(fields: Record<string, unknown>): Record<string, unknown> {
  const { machines, participants, reservations } = fields;
  return {
    ...fields,
    machines: Array.isArray(machines) ? machines.flatMap(readableMachine) : machines,
    participants: Array.isArray(participants) ? participants.flatMap(readableParticipant) : participants,
    // One that is left out is told again, or the restore is begun again.
    ...(Array.isArray(reservations)
      ? { reservations: reservations.filter((each) => HeldReservation.safeParse(each).success) }
      : {}),
  };
}

function readableMachine(value: unknown): AgentMachine[] {
  const parsed = AgentMachine.safeParse(value);
  if (parsed.success) return [parsed.data];
  const name = Name.safeParse(recordOf(value)?.['name']);
  if (!name.success) return [];
  const problem = `its agent reported invalid data about it (${describe(parsed.error)}); correct its entry in the configuration of the agent, or update the agent`;
  return [{ name: name.data, description: '', labels: {}, reachable: false, problem }];
}

function readableParticipant(value: unknown): HeldParticipant[] {
  const parsed = HeldParticipant.safeParse(value);
  if (parsed.success) return [parsed.data];
  const subject = Subject.safeParse(value);
  return subject.success ? [{ ...subject.data, machine: null, stage: null, nextSeq: {} }] : [];
}

const isType = (type: unknown): type is FromAgent['type'] => TYPES.has(type);

function recordOf(value: unknown): Record<string, unknown> | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : null;
}

function describe({ issues }: z.ZodError): string {
  const [issue] = issues;
  if (issue === undefined) return 'not a known frame';
  return cleanText(`${issue.path.map(String).join('.')}: ${issue.message}`, PROBLEM_MAX);
}

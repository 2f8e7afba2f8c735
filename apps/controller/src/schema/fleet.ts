import type {
  MachineCheck,
  MachineCheckRun,
  Catalogue,
  CombinationIdentity,
  Inventory,
  Labels,
  MachineDesired,
  MachineEvent,
  PeerPath,
} from '@peerlab/contracts';
import { Column, Entity, ForeignKey, Index, PrimaryColumn } from 'typeorm';
import { NUMBER } from '../platform/database/bigint.js';

/** What is known of an agent; it owns the machines that name it. */
@Entity('agent')
export class Agent {
  @PrimaryColumn('text', { primaryKeyConstraintName: 'agent_pkey' })
  name: string;
  /** The first site that it named, until a person moves it. */
  @Column('text')
  site: string;
  /** A person said that it belongs to this site: it may take over machines of other agents there. */
  @Column('boolean', { default: false })
  siteConfirmed: boolean;
  @Column('text')
  version: string;
  @Column('text', { array: true })
  capabilities: string[];
  @Column('int')
  buildSlots: number;
  /** Test jobs it takes on at the same time; null = as many as it has machines. */
  @Column('int', { nullable: true })
  testSlots: number | null;
  /** What it can build, as it said when it connected; null = nothing, or it is older than the catalogue. */
  @Column('jsonb', { nullable: true })
  catalogue: Catalogue | null;
  /** It tells the modules of a bundle which pair to take; others test the first pair of a machine. */
  @Column('boolean', { default: false })
  bindsPairs: boolean;
  /** It restores machines that a person gave back. */
  @Column('boolean', { default: false })
  restores: boolean;
  /** It opens terminals of its machines. */
  @Column('boolean', { default: false })
  opensTerminals: boolean;
  /** Version of the agent channel that it spoke last. */
  @Column('int', { default: 4 })
  protocol: number;
  @Column('boolean')
  connected: boolean;
  /** Names the connection that speaks for it; an older one is closed. */
  @Column('uuid', { nullable: true })
  connection: string | null;
  @Column('timestamptz')
  lastSeenAt: Date;
}

/** Desired state is what people want, the other columns are what the agent reports. */
@Entity('machine')
@Index('machine_of_agent', ['agent'])
export class Machine {
  @PrimaryColumn('text', { primaryKeyConstraintName: 'machine_pkey' })
  name: string;
  @ForeignKey(() => Agent, { name: 'machine_agent_fkey' })
  @Column('text')
  agent: string;
  /** A person freed the name: the next agent that names it gets it. */
  @Column('boolean', { default: false })
  forgotten: boolean;
  /** A fence that the machine showed although no attempt ever had it; never given to an attempt. */
  @Column('bigint', { nullable: true, transformer: NUMBER })
  forgedFence: number | null;
  @Column('text')
  description: string;
  @Column('jsonb')
  labels: Labels;
  @Column('text', { default: 'active' })
  desired: MachineDesired;
  /** Why, in the words of whoever wants it so. */
  @Column('text', { nullable: true })
  desiredReason: string | null;
  /** Name of a user's token; null when the farm itself put it into quarantine, or nobody ever said anything. */
  @Column('text', { nullable: true })
  desiredBy: string | null;
  @Column('timestamptz', { nullable: true })
  desiredAt: Date | null;
  @Column('boolean')
  reachable: boolean;
  @Column('text', { nullable: true })
  problem: string | null;
  /** The participant that its agent has on it, as that one reports: also one that has no lease any more. */
  @Column('uuid', { nullable: true })
  heldParticipant: string | null;
  /** Its agent names it; false after it was taken out of the agent's configuration. */
  @Column('boolean', { default: true })
  configured: boolean;
  @Column('timestamptz', { nullable: true })
  lastSeenAt: Date | null;
  @Column('jsonb', { nullable: true })
  inventory: Inventory | null;
  /** Why it takes nothing but its health check, until that passes; null = it serves. */
  @Column('text', { nullable: true })
  unproven: string | null;
  @Column('timestamptz', { nullable: true })
  unprovenAt: Date | null;
  /** The reservation that keeps it from jobs, until that has ended; null = none. */
  @Column('uuid', { nullable: true })
  reserved: string | null;
  /** What its agent's newest look said; null = it has not looked yet, or does not look. */
  @Column('jsonb', { nullable: true })
  checks: MachineCheck[] | null;
  @Column('timestamptz', { nullable: true })
  checkedAt: Date | null;
  /** What people checked with `peerlab machine`, as its agent told it last; null = it told of none. */
  @Column('jsonb', { nullable: true })
  checkRuns: MachineCheckRun[] | null;
}

@Entity('combination')
@Index('combination_found', ['foundBy', 'foundAt'])
export class CombinationRow {
  @PrimaryColumn('text', { primaryKeyConstraintName: 'combination_pkey' })
  hash: string;
  @Column('text')
  label: string;
  @Column('jsonb')
  identity: CombinationIdentity;
  /** The agent that reported it first; null for those from before this was recorded. */
  @Column('text', { nullable: true })
  foundBy: string | null;
  @Column('timestamptz', { default: () => 'clock_timestamp()' })
  foundAt: Date;
}

/** A peer path of a machine, predicted from its inventory. */
@Entity('machine_path')
@Index('machine_path_combination', ['combination', 'ordinal', 'machine'])
export class MachinePath {
  @ForeignKey(() => Machine, { name: 'machine_path_machine_fkey' })
  @PrimaryColumn('text', { primaryKeyConstraintName: 'machine_path_pkey' })
  machine: string;
  @PrimaryColumn('int', { primaryKeyConstraintName: 'machine_path_pkey' })
  position: number;
  @ForeignKey(() => CombinationRow, { name: 'machine_path_combination_fkey' })
  @Column('text')
  combination: string;
  /** Which of the machine's pairs of this combination it is, from 0. */
  @Column('int', { default: 0 })
  ordinal: number;
  @Column('jsonb')
  path: PeerPath;
}

/** What a machine was made of, each time that changed; the newest is also `machine.inventory`. */
@Entity('machine_inventory')
export class MachineInventory {
  @ForeignKey(() => Machine, { name: 'machine_inventory_machine_fkey' })
  @PrimaryColumn('text', { primaryKeyConstraintName: 'machine_inventory_pkey' })
  machine: string;
  /** From 1; the oldest are forgotten. */
  @PrimaryColumn('int', { primaryKeyConstraintName: 'machine_inventory_pkey' })
  number: number;
  @Column('timestamptz', { default: () => 'clock_timestamp()' })
  seenAt: Date;
  @Column('jsonb')
  inventory: Inventory;
}

/** What was wanted of a machine, each time that a person or the farm changed it; the newest is also in `machine`. */
@Entity('machine_change')
export class MachineChangeRow {
  @ForeignKey(() => Machine, { name: 'machine_change_machine_fkey' })
  @PrimaryColumn('text', { primaryKeyConstraintName: 'machine_change_pkey' })
  machine: string;
  /** From 1; the oldest are forgotten. */
  @PrimaryColumn('int', { primaryKeyConstraintName: 'machine_change_pkey' })
  number: number;
  @Column('text')
  desired: MachineDesired;
  /** What else happened; null = `desired` was set. */
  @Column('text', { nullable: true })
  event: MachineEvent | null;
  /** Name of a user's token; null = the farm itself. */
  @Column('text', { nullable: true })
  by: string | null;
  @Column('text', { nullable: true })
  reason: string | null;
  @Column('timestamptz', { default: () => 'clock_timestamp()' })
  at: Date;
}

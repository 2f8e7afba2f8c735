import type { z } from 'zod';
import type { Bmc } from './bmc.js';

/** What a driver may need besides its own settings. */
export interface DriverContext {
  /** Name of the machine, for messages. */
  machine: string;
  /** A BMC by its name; the config was checked: there is one. */
  bmc(name: string): Bmc;
  /** The agent's own folder. */
  stateDir: string;
  /** Work for the agent's whole life: it begins when the agent runs, and ends when the signal is aborted. */
  runInBackground(work: (signal: AbortSignal) => Promise<void>): void;
}

/** Settings of any driver: `driver` says which one. */
export interface DriverSettings {
  driver: string;
}

/** One way to an ability of a machine: a file that says what it is told in the config, and creates it. */
export interface Driver<Schema extends z.ZodType<DriverSettings>, Ability> {
  readonly schema: Schema;
  /** Settings that are paths, relative to the config file. */
  readonly paths: readonly (keyof z.infer<Schema> & string)[];
  create(settings: z.infer<Schema>, context: DriverContext): Ability;
}

/** Returns the driver unchanged; the call infers the types of its settings. */
export const defineDriver = <Schema extends z.ZodType<DriverSettings>, Ability>(
  driver: Driver<Schema, Ability>,
): Driver<Schema, Ability> => driver;

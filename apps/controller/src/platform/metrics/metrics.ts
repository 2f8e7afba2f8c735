import { Injectable } from '@nestjs/common';
import { collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { Bus } from '../database/bus.js';
import { Sql } from '../database/sql.js';
import { VERSION } from '../version.js';

const PREFIX = 'peerlab_';
/** Of durations, in seconds: from an index look-up to a request that waits for a lock. */
const DURATION_BUCKETS = [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 30];

/** One value of a gauge, with its labels. */
export interface Sample<L extends string> {
  labels: Record<L, string>;
  value: number;
}

/**
 * Measurements of this controller in the form of Prometheus. Each room adds its own and observes through them. Names
 * get the prefix `peerlab_`; a label has few values, or ones that people gave (agents), and never an id.
 */
@Injectable()
export class Metrics {
  readonly #registry = new Registry();

  constructor(sql: Sql, bus: Bus) {
    const { pool } = sql;
    this.gauge('build_info', 'Version of this controller; the value is always 1.', ['version', 'node'], () => [
      { labels: { version: VERSION, node: process.version }, value: 1 },
    ]);
    this.gauge('database_connections', 'Connections of the pool to Postgres.', ['state'], () => [
      { labels: { state: 'idle' }, value: pool.idleCount },
      { labels: { state: 'in-use' }, value: pool.totalCount - pool.idleCount },
    ]);
    this.gauge('database_waiting', 'Statements and transactions that wait for a connection of the pool.', [], () => [
      { labels: {}, value: pool.waitingCount },
    ]);
    this.gauge('bus_connected', 'Whether notifications of the database arrive: 1 or 0.', [], () => [
      { labels: {}, value: bus.isConnected ? 1 : 0 },
    ]);
  }

  /** Adds memory, CPU time and event loop of the process. Once for a process: it starts observers. */
  addProcess(): void {
    collectDefaultMetrics({ register: this.#registry, prefix: PREFIX });
  }

  /** Adds durations in seconds. @param name without the prefix, ends with `_seconds` */
  duration<L extends string>(name: string, help: string, labelNames: readonly L[]): Histogram<L> {
    const registers = [this.#registry];
    return new Histogram({ name: PREFIX + name, help, labelNames, buckets: DURATION_BUCKETS, registers });
  }

  /**
   * Adds values that are read when they are asked for. When reading fails, so does the answer as a whole.
   * @param name without the prefix, with its unit
   */
  gauge<L extends string>(
    name: string,
    help: string,
    labelNames: readonly L[],
    read: () => readonly Sample<L>[] | Promise<readonly Sample<L>[]>,
  ): void {
    const gauge: Gauge<L> = new Gauge({
      name: PREFIX + name,
      help,
      labelNames,
      registers: [this.#registry],
      collect: async () => {
        const samples = await read();
        gauge.reset();
        for (const { labels, value } of samples) gauge.set(labels, value);
      },
    });
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** All measurements as text. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }
}

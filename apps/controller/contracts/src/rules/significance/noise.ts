import type { MetricNoise, Variance } from '../../schema/metric.js';
import type { Boot } from './boots.js';

/** A stored boot of a known kernel. */
export interface StoredBoot extends Boot {
  buildId: string;
}

export const NO_NOISE: MetricNoise = { boots: { squares: 0, freedom: 0 }, runs: { squares: 0, freedom: 0 } };

/**
 * What is taken for the noise between runs before it was measured: a standard deviation of 2 %, weighing as much as four
 * measured differences.
 */
const ASSUMED = { deviation: 0.02, freedom: 4 };

/** The noise of a metric on a combination, learnt from A/A pairs. Boots with a value that is not above zero say nothing. */
export function learnNoise(boots: readonly StoredBoot[]): MetricNoise {
  const kernels = new Map<string, Map<string, number[]>>();
  for (const { buildId, machine, run, value } of boots) {
    if (!(value > 0)) continue;
    const key = `${buildId}\n${machine}`;
    const runs = kernels.get(key) ?? new Map<string, number[]>();
    kernels.set(key, runs);
    const values = runs.get(run) ?? [];
    runs.set(run, values);
    values.push(Math.log(value));
  }
  const noise = { boots: { squares: 0, freedom: 0 }, runs: { squares: 0, freedom: 0 } };
  for (const runs of kernels.values()) {
    for (const values of runs.values()) add(noise.boots, values);
    add(noise.runs, [...runs.values()].map(mean));
  }
  return noise;
}

/** The noisier of two metrics that are compared with each other, by what differs between boots. */
export function noisier(one: MetricNoise, other: MetricNoise): MetricNoise {
  return varianceOf(one.boots) >= varianceOf(other.boots) ? one : other;
}

const varianceOf = ({ squares, freedom }: Variance): number => (freedom === 0 ? 0 : squares / freedom);

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function add(variance: Variance, values: readonly number[]): void {
  if (values.length < 2) return;
  const centre = mean(values);
  for (const value of values) variance.squares += (value - centre) ** 2;
  variance.freedom += values.length - 1;
}

/** The standard error of the logarithm of a ratio of two sides of one kernel, and how well it is known. */
export interface NoiseOfSides {
  error: number;
  freedom: number;
}

/**
 * How far sides of so many boots and runs differ where nothing was changed; null while that is not known. Sides whose boots
 * are from the same runs share the noise between runs; of others it is most of what differs.
 */
export function noiseOfSides(noise: MetricNoise, a: readonly Boot[], b: readonly Boot[]): NoiseOfSides | null {
  const [runsA, runsB] = [runsOf(a), runsOf(b)];
  if (runsA.size === runsB.size && [...runsA].every((run) => runsB.has(run))) {
    const { squares, freedom } = noise.boots;
    if (freedom === 0) return null;
    return { error: Math.sqrt((squares / freedom) * (1 / a.length + 1 / b.length)), freedom };
  }
  const freedom = noise.runs.freedom + ASSUMED.freedom;
  const variance = (noise.runs.squares + ASSUMED.freedom * ASSUMED.deviation ** 2) / freedom;
  return { error: Math.sqrt(variance * (1 / runsA.size + 1 / runsB.size)), freedom };
}

/** The noise floor: what two sides of one kernel differ by at most in 95 of 100 cases, as a logarithm (0.02 ≈ 2 %). */
export function noiseFloor(noise: NoiseOfSides | null): number {
  return noise === null ? 0 : tQuantile(noise.freedom) * noise.error;
}

/** How often noise alone makes two sides differ by as much as this logarithm of a ratio; 0 while the noise is not known. */
export function noiseP(noise: NoiseOfSides | null, log: number): number {
  if (noise === null) return 0;
  if (noise.error === 0) return log === 0 ? 1 : 0;
  return tTail(Math.abs(log) / noise.error, noise.freedom);
}

const runsOf = (boots: readonly Boot[]): Set<string> => new Set(boots.map(({ run }) => run));

/**
 * How far two boots of one kernel differ in 95 of 100 cases, as a logarithm of their ratio; null before two boots of one
 * kernel were measured.
 */
export function pairNoise({ boots, runs }: MetricNoise): number | null {
  const freedom = boots.freedom + runs.freedom;
  if (freedom === 0) return null;
  return tQuantile(freedom) * Math.sqrt((2 * (boots.squares + runs.squares)) / freedom);
}

/** 0.975 quantile of Student's t (Cornish and Fisher's series; within 1 % from 3 degrees of freedom on, low below that). */
export function tQuantile(freedom: number): number {
  const z = 1.959964;
  return (
    z +
    (z ** 3 + z) / 4 / freedom +
    (5 * z ** 5 + 16 * z ** 3 + 3 * z) / 96 / freedom ** 2 +
    (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / 384 / freedom ** 3
  );
}

/** How often |t| of Student's distribution is at least this (Abramowitz and Stegun 26.7.3 and 26.7.4). `freedom`: whole. */
export function tTail(t: number, freedom: number): number {
  const angle = Math.atan(t / Math.sqrt(freedom));
  const [sine, cosine] = [Math.sin(angle), Math.cos(angle)];
  const isOdd = freedom % 2 === 1;
  let term = isOdd ? cosine : 1;
  let sum = 0;
  for (let place = isOdd ? 1 : 0; place <= freedom - 2; place += 2) {
    sum += term;
    term *= (cosine * cosine * (place + 1)) / (place + 2);
  }
  const within = isOdd ? (2 / Math.PI) * (angle + sine * sum) : sine * sum;
  return Math.max(0, 1 - within);
}

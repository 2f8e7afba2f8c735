import { CompareQuery, Comparison } from '../schema/compare.js';
import { HardwareComparison, HardwareQuery } from '../schema/hardware.js';
import { Twins, TwinsQuery } from '../schema/twins.js';
import type { Route } from './route.js';

/** Routes that set two things beside each other: builds, combinations, machines. */
export const COMPARE_ROUTES = {
  /** Two builds, of one run or of two. */
  getCompare: {
    method: 'GET',
    path: '/api/v1/compare',
    access: 'read',
    isHeavy: true,
    query: CompareQuery,
    response: Comparison,
  },
  /** One kernel on two combinations of hardware. */
  getHardware: {
    method: 'GET',
    path: '/api/v1/compare/hardware',
    access: 'read',
    isHeavy: true,
    query: HardwareQuery,
    response: HardwareComparison,
  },
  /** One kernel on machines with the same hardware: where they do not agree, and which of them stands out. */
  getTwins: {
    method: 'GET',
    path: '/api/v1/compare/machines',
    access: 'read',
    isHeavy: true,
    query: TwinsQuery,
    response: Twins,
  },
} as const satisfies Record<string, Route>;

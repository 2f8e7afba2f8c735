import type { Dialect } from '../../schema/suite.js';
import type { DialectReader } from './dialect.js';
import { ExitCodeReader } from './exit-code.js';
import { PerftestDialect } from './perftest.js';

/** A reader for the output of a suite; null = KTAP and TAP, which `KtapReader` reads. */
export function dialectReader(dialect: Dialect): DialectReader | null {
  switch (dialect) {
    case 'ktap':
      return null;
    case 'exit-code':
      return new ExitCodeReader();
    case 'perftest':
      return new PerftestDialect();
  }
}

import type { Dialect } from '../../schema/suite.js';
import type { DialectReader } from './dialect.js';
import { ExitCodeReader } from './exit-code.js';
import { PerftestDialect } from './perftest.js';
import { FioReader } from './fio.js';
import { GdrcopyReader, NcclReader, NvbandwidthReader } from './gpu-tools.js';
import { GtestReader } from './gtest.js';
import { JunitReader } from './junit.js';
import { PytestReader } from './pytest.js';
import { UnittestReader } from './unittest.js';

/** A reader for the output of a suite; null = KTAP and TAP, which `KtapReader` reads. */
export function dialectReader(dialect: Dialect): DialectReader | null {
  switch (dialect) {
    case 'ktap':
      return null;
    case 'exit-code':
      return new ExitCodeReader();
    case 'perftest':
      return new PerftestDialect();
    case 'pytest':
      return new PytestReader();
    case 'unittest':
      return new UnittestReader();
    case 'gtest':
      return new GtestReader();
    case 'junit':
      return new JunitReader();
    case 'fio':
      return new FioReader();
    case 'nccl-tests':
      return new NcclReader();
    case 'nvbandwidth':
      return new NvbandwidthReader();
    case 'gdrcopy':
      return new GdrcopyReader();
  }
}

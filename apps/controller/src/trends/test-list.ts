import { Injectable } from '@nestjs/common';
import { TESTS_MAX, type TestList } from '@peerlab/contracts';
import { columnsOf, text } from '../platform/database/row-shape.js';
import { Sql } from '../platform/database/sql.js';
import { TestPlan } from '../schema/results.js';

/** Reads the names of all tests. */
@Injectable()
export class TestListView {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** The tests of all packed attempts: there are few different plans, however many attempts there are. */
  async read(): Promise<TestList> {
    const tests = await this.#sql.rows(
      { suite: columnsOf(TestPlan).suite, test: text },
      'select distinct suite, unnest(tests) as test from test_plan order by suite, test limit $1',
      [TESTS_MAX + 1],
    );
    return { tests: tests.slice(0, TESTS_MAX), isCut: tests.length > TESTS_MAX };
  }
}

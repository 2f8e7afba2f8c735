import { afterAll, beforeAll, describe, it } from 'vitest';
import type { BareSite, Ended } from './bare-site.js';
import { ENROL_MS, enrolServer, expectEnrolled } from './enrolled-server.js';

describe('a server, from the config of an agent that has no machine', () => {
  let site: BareSite;
  let enrolled: Ended;

  beforeAll(async () => {
    ({ site, enrolled } = await enrolServer());
  }, ENROL_MS);
  afterAll(() => site?.remove());

  it('passes every check, comes back by itself after a candidate that crashes, and stands in the config', () =>
    expectEnrolled(site, enrolled));
});

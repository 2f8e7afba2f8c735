import { randomUUID } from 'node:crypto';
import {
  NewToken,
  RetentionPolicy,
  VERDICT_TABLE,
  type CreatedToken,
  type DeliveryPage,
  type HookView,
  type ReportView,
  type RetentionPlan,
  type RetentionView,
  type RouteName,
  type RunDetail,
  type SourceLinks,
  type TokenView,
} from '@peerlab/contracts';
import { SampleBuilds } from './sample-builds.js';
import { sampleCoverage, sampleMutants } from './sample-coverage.js';
import { Refusal } from './sample-refusal.js';

const ago = (seconds: number): string => new Date(Date.now() - seconds * 1000).toISOString();
const GIB = 1024 ** 3;
const DELIVERIES = 60;

const SAMPLE_HOOKS: HookView[] = [
  { name: 'nightly', kind: 'generic', templates: ['matrix', 'series'], rules: [], people: [], report: null },
  {
    name: 'github',
    kind: 'github',
    templates: [],
    rules: [
      {
        repository: 'me/linux',
        branches: ['main', 'topic/*'],
        paths: ['mm/**'],
        labels: null,
        template: 'tree',
        build: null,
      },
      {
        repository: 'me/linux',
        branches: null,
        paths: null,
        labels: ['hardware'],
        template: 'matrix',
        build: 'pushed',
      },
    ],
    people: ['alice'],
    report: { api: 'https://api.github.com/', as: 'check runs' },
  },
];

/** Kernel builds, tokens, webhooks and retention of the sample farm. */
export class SampleDesk {
  readonly tokens: TokenView[] = [
    this.token('user', 'admin', 90_000, { current: true, lastUsedAt: ago(20) }),
    this.token('agent', 'lab-1', 86_000, { lastUsedAt: ago(70) }),
    this.token('user', 'eve', 40_000),
    this.token('agent', 'old-lab', 900_000, { revokedAt: ago(4000) }),
  ];
  private pins: RetentionView['pins'];
  private readonly builds: SampleBuilds;
  private isSwept = false;
  private isApproved = false;

  constructor(
    private readonly run: RunDetail,
    live: RunDetail,
  ) {
    this.builds = new SampleBuilds(run, live);
    this.pins = [{ run: run.id, name: run.name, by: 'admin', reason: 'for the paper', pinnedAt: ago(5000) }];
  }

  /** Answers the routes that it knows; refuses the others with 404. */
  answer(name: RouteName, params: Record<string, string>, query: Record<string, string>, body: unknown): unknown {
    const build = params['build'] ?? '';
    if (params['build'] !== undefined && !this.builds.has(build)) {
      throw new Refusal(404, 'not-found', 'there is no such build');
    }
    switch (name) {
      case 'listBuilds':
        if (query['buildId'] !== undefined) return this.builds.withBuildId(query['buildId']);
        return this.builds.list(query['before'], Number(query['limit'] ?? 50));
      case 'getBuild':
        return this.builds.get(build);
      case 'getBuildCoverage':
        return sampleCoverage();
      case 'getBuildMutants':
        return sampleMutants();
      case 'getSourceLinks':
        return sampleSourceLinks();
      case 'getPatch': {
        const number = Number(params['number']);
        const text = this.builds.text(build, number);
        if (text === null) throw new Refusal(404, 'no-patch-text', 'the text is not stored');
        return { number, text };
      }
      case 'listTokens':
        return this.tokens;
      case 'createToken':
        return this.createToken(body);
      case 'revokeToken':
        return this.revoke(params['token']);
      case 'listDeliveries':
        return this.deliveries(query['before']);
      case 'approveDelivery':
        this.isApproved = true;
        return { status: 'started', runId: this.run.id, detail: 'approved' };
      case 'repeatDelivery':
        return { status: 'started', runId: this.run.id, detail: 'again' };
      case 'listHooks':
        return SAMPLE_HOOKS;
      case 'listReports':
        return this.reports();
      case 'sendReport':
        return this.reports()[1];
      case 'getRetention':
        return this.retention();
      case 'planRetention':
        return this.plan();
      case 'runRetention':
        return this.sweep();
      case 'pinRun':
        return this.unpin(params['run']);
      default:
        throw new Refusal(404, 'not-found', `the sample farm has no ${name}`);
    }
  }

  private createToken(body: unknown): CreatedToken {
    const { kind, name } = NewToken.parse(body);
    const token = this.token(kind, name, 0);
    this.tokens.unshift(token);
    return { token, secret: `plk_${kind}_sample-secret` };
  }

  private revoke(id: string | undefined): TokenView {
    const token = this.tokens.find((each) => each.id === id);
    if (token === undefined) throw new Refusal(404, 'not-found', 'there is no such token');
    token.revokedAt ??= new Date().toISOString();
    return token;
  }

  private reports(): ReportView[] {
    const { id, name } = this.run;
    const report = { source: 'github', repository: 'me/linux', context: 'peerlab/tree', run: { id, name } };
    return [
      {
        ...report,
        id: '6b1f5a52-5f0e-4b53-9a1e-3c1c7a3f9a01',
        commit: '3f9c2ab01d2e'.padEnd(40, '0'),
        number: 7,
        state: 'sent',
        tries: 0,
        error: null,
        sentAt: ago(30),
        nextAt: null,
      },
      {
        ...report,
        id: '6b1f5a52-5f0e-4b53-9a1e-3c1c7a3f9a02',
        commit: 'a0b1c2d3e4f5'.padEnd(40, '0'),
        number: null,
        state: 'failing',
        tries: 3,
        error: 'POST repos/me/linux/statuses/a0b1… at api.github.com: 503',
        sentAt: null,
        nextAt: ago(-600),
      },
    ];
  }

  private deliveries(before: string | undefined): DeliveryPage {
    const none = { commit: null, fork: null, isRepeatable: false };
    const all = Array.from({ length: DELIVERIES }, (_, index): DeliveryPage['deliveries'][number] => {
      const deliveryId = `delivery-${index + 1}`;
      const receivedAt = ago(60 + index * 600);
      if (index % 3 === 1) {
        const detail = 'nothing to do for the event "<img src=x onerror=window.planted=1>"';
        return { ...none, source: 'github', deliveryId, receivedAt, outcome: 'ignored', detail, run: null };
      }
      if (index % 5 === 2) {
        const detail = 'nightly main: there is no template "nightly"';
        return { ...none, source: 'generic', deliveryId, receivedAt, outcome: 'refused', detail, run: null };
      }
      const commit = '3f9c2ab01d2e'.padEnd(40, '0');
      if (index === 3 && !this.isApproved) {
        const detail = 'me/linux#7 at 3f9c2ab01d2e of mallory/linux: waits for approval';
        const fork = 'mallory/linux';
        return {
          source: 'github',
          deliveryId,
          receivedAt,
          outcome: 'held',
          detail,
          run: null,
          commit,
          fork,
          isRepeatable: true,
        };
      }
      const { id, name } = this.run;
      return {
        commit,
        fork: null,
        isRepeatable: true,
        source: 'github',
        deliveryId,
        receivedAt,
        outcome: 'started',
        detail: 'me/linux main at 3f9c2ab01d2e',
        run: { id, name },
      };
    });
    const from = before === undefined ? 0 : all.findIndex(({ deliveryId }) => before.endsWith(`~${deliveryId}`)) + 1;
    const page = all.slice(from, from + 50);
    const last = page.at(-1);
    return {
      deliveries: page,
      next: last === undefined || page.length < 50 ? null : `${last.source}~${last.deliveryId}`,
    };
  }

  private retention(): RetentionView {
    return {
      policy: RetentionPolicy.parse({}),
      level: 'ok',
      use: this.use(),
      measuredAt: ago(40),
      pins: this.pins,
      deletions: [
        {
          removedAt: ago(3000),
          kind: 'logs',
          subject: randomUUID(),
          name: 'nightly <b>one</b>',
          why: 'age',
          lines: 48_220,
          bytes: 9_120_001,
        },
      ],
    };
  }

  private plan(): RetentionPlan {
    const use = this.use();
    const removals: RetentionPlan['removals'] = this.isSwept
      ? []
      : [
          {
            kind: 'logs',
            subject: this.run.id,
            name: 'before christmas <script>window.planted=1</script>',
            lastUsedAt: ago(200 * 86_400),
            why: 'age',
            lines: 120_400,
            bytes: 31_000_000,
          },
          {
            kind: 'artifact',
            subject: 'a'.repeat(64),
            name: 'bundle 7.3.3',
            lastUsedAt: ago(80 * 86_400),
            why: 'age',
            lines: 0,
            bytes: 11_400_000,
          },
        ];
    const freed = removals.reduce((sum, { bytes }) => sum + bytes, 0);
    return { level: 'ok', use, removals, usedBytesAfter: use.usedBytes - freed };
  }

  private sweep(): RetentionPlan {
    const plan = this.plan();
    this.isSwept = true;
    return plan;
  }

  private unpin(run: string | undefined): { pinned: boolean } {
    this.pins = this.pins.filter((pin) => pin.run !== run);
    return { pinned: false };
  }

  private use(): RetentionView['use'] {
    const [logBytes, artifactBytes, otherBytes] = [6.2 * GIB, 2.1 * GIB, 0.4 * GIB];
    return {
      logBytes,
      artifactBytes,
      otherBytes,
      usedBytes: logBytes + artifactBytes + otherBytes,
      databaseBytes: 7.4 * GIB,
      freeBytes: 61 * GIB,
    };
  }

  private token(kind: TokenView['kind'], name: string, age: number, more: Partial<TokenView> = {}): TokenView {
    return {
      id: randomUUID(),
      kind,
      name,
      site: null,
      only: null,
      createdAt: ago(age),
      revokedAt: null,
      lastUsedAt: null,
      current: false,
      ...more,
    };
  }
}

/** A picture like the controller's badge. */
export function sampleBadge({ verdict }: RunDetail): string {
  const text = verdict === null ? 'running' : VERDICT_TABLE[verdict].label;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="120" height="20"><rect width="120" height="20" rx="4" fill="#3a4352"/><text x="60" y="14" fill="#fff" font-family="sans-serif" font-size="11" text-anchor="middle">peerlab ${text}</text></svg>`;
}

/** As of a git build whose series changes one of the files that a crash names. */
function sampleSourceLinks(): SourceLinks {
  const page = {
    forge: 'gitlab',
    repository: 'https://git.example.org/linux',
    commit: 'a257'.padEnd(40, '9'),
  } as const;
  return { page, why: null, changed: ['drivers/gpu/p2pvram/migrate.c'], folders: {} };
}

import type { HardwareAlarmView, MachineHealth, RouteName } from '@peerlab/contracts';

const ago = (hours: number): string => new Date(Date.now() - hours * 3_600_000).toISOString();

/** The health of the machines of the sample farm: they passed, and one told of an error that was corrected. */
export class SampleHealth {
  readonly #asked = new Map<string, MachineHealth['checks']>();

  /** @param run and attempt that the checks and the alarm link to */
  constructor(
    private readonly run: { id: string; name: string },
    private readonly attempt: string,
  ) {}

  answer(name: RouteName, params: Record<string, string>, body: unknown): unknown {
    const machine = params['machine'] ?? '';
    switch (name) {
      case 'listAttemptAlarms':
        return { alarms: [], pending: false };
      case 'listMachineAlarms':
        return [this.#alarm()];
      case 'checkMachine': {
        const { reason } = body as { reason: string };
        const asked = {
          kind: 'asked',
          by: 'admin',
          boots: 1,
          runId: this.run.id,
          endedAt: null,
          outcome: null,
        } as const;
        this.#asked.set(machine, [{ number: 3, reason, at: ago(0), detail: null, ...asked }]);
        return this.#health(machine);
      }
      default:
        return this.#health(machine);
    }
  }

  #alarm(): HardwareAlarmView {
    return {
      kind: 'pcie-aer',
      severity: 'corrected',
      title: 'AER: Corrected error',
      device: '0000:05:00.0',
      times: 3,
      stream: 'serial',
      line: 41,
      at: ago(1),
      role: 'main',
      attemptId: this.attempt,
      run: this.run,
    };
  }

  #health(machine: string): MachineHealth {
    const own = { by: null, runId: this.run.id, outcome: 'passed', detail: null } as const;
    return {
      enabled: true,
      unproven: null,
      goodAt: ago(20),
      nextAt: ago(-148),
      checks: [
        ...(this.#asked.get(machine) ?? []),
        { number: 2, kind: 'schedule', reason: 'every 168 hours', boots: 1, at: ago(20.2), endedAt: ago(20), ...own },
        {
          number: 1,
          kind: 'required',
          reason: 'it has not passed its first health check',
          boots: 3,
          at: ago(190),
          endedAt: ago(189),
          ...own,
        },
      ],
      suspects: 0,
    };
  }
}

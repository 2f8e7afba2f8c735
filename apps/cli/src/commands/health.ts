import type { HttpClient } from '@peerlab/client';
import type { HardwareAlarmView, HealthCheck, MachineHealth } from '@peerlab/contracts';
import type { Answer } from '../command.js';
import { shortId, table } from '../render/text.js';

/** Whether a machine serves, when it passed last, its newest health checks, and the newest alarms of its hardware. */
export async function showHealth(api: HttpClient, machine: string): Promise<Answer> {
  const [health, alarms] = await Promise.all([
    api.call('getMachineHealth', { params: { machine } }),
    api.call('listMachineAlarms', { params: { machine } }),
  ]);
  const text = healthText(machine, health);
  if (alarms.length === 0) return { data: { health, alarms }, text };
  return {
    data: { health, alarms },
    text: `${text}\n\n${table([['ALARM', 'WHAT', 'DEVICE', 'TIMES', 'WHEN', 'ATTEMPT'], ...alarms.map(alarmRow)])}`,
  };
}

const alarmRow = ({ severity, title, device, times, at, attemptId }: HardwareAlarmView): string[] => [
  severity,
  title,
  device ?? '',
  String(times),
  at,
  shortId(attemptId),
];

/** Asks for a health check now. @param hold the machine takes nothing else until it has passed */
export async function checkHealth(
  api: HttpClient,
  machine: string,
  { reason, hold }: { reason: string; hold: boolean },
): Promise<Answer> {
  const health = await api.call('checkMachine', { params: { machine }, body: { reason, hold } });
  return { data: health, text: healthText(machine, health) };
}

function healthText(machine: string, health: MachineHealth): string {
  const { enabled, unproven, goodAt, nextAt, checks, suspects } = health;
  const lines = [
    unproven === null
      ? `${machine} serves`
      : `${machine} takes nothing but its health check until that passes: ${unproven}`,
    goodAt === null ? 'it has never passed a health check' : `it passed its last health check at ${goodAt}`,
    ...(nextAt === null ? [] : [`it is checked again at ${nextAt}`]),
    ...(enabled ? [] : ['the farm makes no health checks by itself (health.enabled of the controller)']),
    ...(suspects === 0
      ? []
      : [
          `${suspects} ${suspects === 1 ? 'attempt' : 'attempts'} on it ${suspects === 1 ? 'is' : 'are'} suspect: it failed a check after they ran`,
        ]),
  ];
  if (checks.length === 0) return lines.join('\n');
  return `${lines.join('\n')}\n\n${table([['CHECK', 'WHEN', 'OUTCOME', 'BOOTS', 'RUN', 'WHY', 'FOUND'], ...checks.map(row)])}`;
}

const row = ({ number, at, outcome, boots, runId, kind, by, reason, detail }: HealthCheck): string[] => [
  String(number),
  at,
  outcome ?? 'running',
  String(boots),
  runId === null ? '' : shortId(runId),
  `${by === null ? kind : by}: ${reason}`,
  detail ?? '',
];

import { describe, expect, it } from 'vitest';
import { CrashReader, CrashWatch, readCrashes, readKernelAlarm } from '../../index.js';
import { growthOf } from '../../testing/growth.js';
import { printed, stack, SYSCALL, trap, USER } from '../../testing/kernel-reports.js';

const WARNING = [
  'WARNING: mm/memremap.c:158 at memremap_pages+0x1ad/0x47a, CPU#1: hmm-tests/246',
  ...trap('memremap_pages'),
  ...stack('p2pvram_probe'),
];
const NULL_DEREF = [
  'BUG: kernel NULL pointer dereference, address: 0000000000000010',
  'Oops: Oops: 0000 [#1] SMP NOPTI',
  ...trap('p2pvram_map'),
  ...stack('p2pvram_ioctl', ...SYSCALL),
  ...USER,
];
const FATAL = [
  '---[ end trace 0000000000000000 ]---',
  'RIP: 0010:p2pvram_map+0x8f/0x1a0',
  'Kernel panic - not syncing: Fatal exception',
  'Rebooting in 5 seconds..',
];
const titles = (lines: readonly string[]): string[] => readCrashes(lines).map(({ title }) => title);

describe('what is no report', () => {
  it.each([
    'traps: p2p-test[412] general protection fault ip:55e0c1d2e3f4 sp:7ffd0a1b2c3d error:0 in p2p-test[55e0c1d2e000+1000]',
    'traps: p2p-test[412] trap divide error ip:55e0c1d2e3f4 sp:7ffd0a1b2c3d error:0 in p2p-test[55e0c1d2e000+1000]',
    'traps: p2p-test[412] trap invalid opcode ip:55e0c1d2e3f4 sp:7ffd0a1b2c3d error:0',
    'p2p-test[412] general protection fault ip:55e0c1d2e3f4 sp:7ffd0a1b2c3d error:0',
    'p2p-test[412]: segfault at 0 ip 000055e0c1d2e3f4 sp 00007ffd0a1b2c3d error 4 in p2p-test',
    'Linux version 7.3.4-peerlab (gcc 12.2.0)',
    'Command line: root=/dev/vda1 panic=5 oops=panic softlockup_panic=1',
    'pci 0000:00:00.0: [8086:29c0] type 00 class 0x060000',
    'rcu: INFO: Stall ended before state dump start',
    'INFO: lockdep is turned off.',
    'perf: interrupt took too long (2503 > 2500), lowering kernel.perf_event_max_sample_rate to 79750',
    'Spectre V2 : WARNING: Unprivileged eBPF is enabled with eIBRS on, data leaks possible via Spectre v2 BHB attacks!',
    'XFS (vda2): WARNING: Reset corrupted AGFL on AG 0.',
    'we debug, BUG: fixes are welcome',
    'ODEBUG: selftest passed',
    'DMA-API: preallocated 65536 debug entries',
    'pcieport 0000:00:1c.0: AER: enabled with IRQ 25',
    'pcieport 0000:00:1c.0: DPC: enabled with IRQ 25',
    'DMAR: Intel(R) Virtualization Technology for Directed I/O',
    'AMD-Vi: Interrupt remapping enabled',
    'NMI watchdog: Enabled. Permanently consumes one hw-PMU counter.',
    'kmemleak: Kernel memory leak detector initialized (mem pool available: 15667)',
    'systemd[1]: Started OpenSSH server.',
  ])('%s', (line) => {
    expect(readCrashes([line, ...printed(null, [line]), ...printed('T1', [line])])).toEqual([]);
    expect(readKernelAlarm(line)).toBeNull();
  });
});

describe('where a report begins and ends', () => {
  it('counts lines from 1, and leaves out what comes before and behind', () => {
    const log = ['ordinary', ...printed(null, [...NULL_DEREF, ...FATAL]), 'SeaBIOS'];
    const [report] = readCrashes(log);
    expect(report).toMatchObject({ startLine: 2, corrupted: false, severity: 'crash' });
    expect(log[(report?.endLine ?? 0) - 1]).toContain('Kernel panic - not syncing: Fatal exception');
    expect(report?.frames).toEqual(['p2pvram_map', 'p2pvram_ioctl', ...SYSCALL]);
  });

  it('takes the numbers of its caller', () => {
    const reports: number[] = [];
    const reader = new CrashReader(({ startLine }) => reports.push(startLine));
    expect(reader.push('WARNING: mm/hmm.c:3 at hmm_init+0x1/0x2', 700)).toMatchObject({
      begins: true,
      severity: 'warning',
    });
    expect(reader.open().map(({ startLine }) => startLine)).toEqual([700]);
    reader.end();
    expect(reports).toEqual([700]);
  });

  it('the panic that ends a report is not its title, on whichever CPU and however late', () => {
    for (const end of [
      'kernel: panic_on_warn set ...',
      'Fatal exception in interrupt',
      'KASAN: panic_on_warn set ...',
      'kasan.fault=panic set ...',
    ]) {
      const panic = `Kernel panic - not syncing: ${end}`;
      for (const log of [
        [...WARNING, panic],
        [...printed('T7', WARNING), ...printed('C2', [panic])],
        [...WARNING, ...Array(200).fill('audit: x'), panic],
      ]) {
        expect(readCrashes(log)).toEqual([
          expect.objectContaining({ title: 'WARNING in memremap_pages', severity: 'crash' }),
        ]);
      }
    }
    // Its own stack serves a warning that printed none.
    expect(
      titles([
        WARNING[0] ?? '',
        'Kernel panic - not syncing: panic_on_warn set ...',
        ...trap('memremap_pages'),
        ...stack('panic'),
      ]),
    ).toEqual(['WARNING in memremap_pages']);
    expect(readCrashes(['Kernel panic - not syncing: Fatal exception'])).toMatchObject([
      { title: 'kernel panic: Fatal exception', corrupted: true },
    ]);
  });

  it('lists several reports of one log', () => {
    expect(titles(printed(null, [...WARNING, 'usb 1-1: new device', ...NULL_DEREF, ...FATAL]))).toEqual([
      'WARNING in memremap_pages',
      'BUG: unable to handle kernel NULL pointer dereference in p2pvram_map',
    ]);
  });

  it('a kernel that starts owes nothing to the one before', () => {
    const log = [
      ...WARNING.slice(0, 1),
      'Linux version 7.3.4',
      'Kernel panic - not syncing: no init',
      ...stack('panic'),
    ];
    expect(readCrashes(log)).toMatchObject([
      { severity: 'warning' },
      { title: 'kernel panic: no init', severity: 'crash' },
    ]);
  });
});

describe('what stands in front of the lines', () => {
  it.each([
    ['nothing', (line: string) => line],
    ['a level', (line: string) => `<4>${line}`],
    ['a level and a time', (line: string) => `<4>[   12.345678] ${line}`],
    ['a caller', (line: string) => `[   12.345678][  T412] ${line}`],
    ['the clock of dmesg -T', (line: string) => `[Mon Nov 30 04:12:29 2026] ${line}`],
    ['syslog', (line: string) => `Nov 30 04:12:29 lab1 kernel: [   12.345678] ${line}`],
    ['a journal', (line: string) => `2026-11-30T04:12:29.123456+00:00 lab1 kernel: ${line}`],
    ['/dev/kmsg', (line: string) => `4,812,12345678,-,caller=T412;${line}`],
    ['a carriage return behind it', (line: string) => `[   12.345678] ${line}\r`],
  ])('%s', (_name, print) => {
    expect(readCrashes(NULL_DEREF.map(print))).toMatchObject([
      { title: 'BUG: unable to handle kernel NULL pointer dereference in p2pvram_map', corrupted: false },
    ]);
  });

  it('the words of a program that did not end its line', () => {
    const mixed = printed('T412', WARNING).map((line) => `Started [0m. console-get${line}`);
    expect(titles(mixed)).toEqual(['WARNING in memremap_pages']);
  });

  it('a login prompt and a note about lost lines', () => {
    const [first = '', ...rest] = printed(null, WARNING);
    expect(titles([`lab1 login: ${first}`, ...rest])).toEqual(['WARNING in memremap_pages']);
    expect(titles([`** 12 printk messages dropped ** ${first}`, ...rest])).toEqual(['WARNING in memremap_pages']);
  });
});

describe('lines of others in between', () => {
  it('keeps tasks and CPUs apart', () => {
    const one = printed('T412', NULL_DEREF);
    const other = printed('C1', WARNING);
    const mixed = one.flatMap((line, at) => [line, ...other.slice(at, at + 1)]);
    expect(readCrashes(mixed)).toMatchObject([
      { title: 'BUG: unable to handle kernel NULL pointer dereference in p2pvram_map', startLine: 1 },
      { title: 'WARNING in memremap_pages', startLine: 2 },
    ]);
  });

  it('does not take the stacks of other CPUs for its own', () => {
    const stall = ['rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:', 'Sending NMI from CPU 1 to CPUs 0:'];
    const idle = ['NMI backtrace for cpu 0', 'RIP: 0010:default_idle+0xb/0x10', ...stack('cpu_idle_poll')];
    expect(readCrashes([...printed('C1', stall), ...printed('C0', idle)])).toMatchObject([
      { title: 'INFO: rcu detected stall in corrupted', corrupted: true },
    ]);
    const hung = [
      'INFO: task sync:77 blocked for more than 122 seconds.',
      ...stack('schedule', 'p2pvram_sync'),
      'Sending NMI from CPU 1 to CPUs 0:',
    ];
    expect(titles([...printed('T99', hung), ...printed('C0', idle)])).toEqual(['INFO: task hung in p2pvram_sync']);
  });

  it('a report that ran into another fault shares its stack', () => {
    const log = printed('T412', [
      'BUG: Dentry ffff88810e2ca880{i=0,n=p2p}  still in use (1) [unmount of ext4 vda2]',
      ...WARNING,
    ]);
    expect(titles(log)).toEqual(['BUG: Dentry still in use in unmount', 'WARNING in memremap_pages']);
    expect(readCrashes(log).map(({ corrupted }) => corrupted)).toEqual([false, false]);
  });
});

describe('a report that is not whole', () => {
  it.each<[string, string[]]>([
    ['no stack where one belongs', ['BUG: kernel NULL pointer dereference, address: 0', ...trap('p2pvram_map')]],
    ['cut behind the start of its stack', [...WARNING.slice(0, 1), ...trap('memremap_pages'), 'Call Trace:']],
    [
      'no frame in its stack',
      ['BUG: scheduling while atomic: p2p-test/412/0x2', 'Call Trace:', ' <TASK>', ' </TASK>', 'x', 'y'],
    ],
    ['the second half of the header lost', ['BUG: unable to handle kernel', ...stack('p2pvram_map')]],
    ['a detail lost', ['BUG: KASAN: slab-use-after-free in p2pvram_map+0x1/0x2', ...stack('p2pvram_map')]],
    [
      'a time in the middle of its title',
      ['Kernel panic - not syncing: no [   12.345678] working init', ...stack('panic', 'kernel_init')],
    ],
    [
      'the stack of an injected fault',
      [
        ...WARNING.slice(0, 1),
        ...stack('should_fail_ex', 'p2pvram_map').map((line) => line.replace('should_fail_ex', 'should_fail')),
      ],
    ],
  ])('%s', (_name, lines) => {
    expect(readCrashes(lines)).toMatchObject([{ corrupted: true }]);
  });

  it('a warning whose stack was lost is named by its header', () => {
    expect(readCrashes(WARNING.slice(0, 1))).toMatchObject([{ title: 'WARNING in memremap_pages', corrupted: true }]);
  });
});

describe('titles', () => {
  it('leave out addresses, numbers, lines and CPUs, and what does not print', () => {
    const panic =
      'Kernel panic - not syncing: bad\u0007 page 0xffff888104a2c000 at p2pvram_map+0x1/0x2 mm/hmm.c:12 CPU#3 after  77 of 10.0.0.1\ud800';
    expect(titles([panic])).toEqual(['kernel panic: bad page ADDR at p2pvram_map mm/hmm.c:LINE CPU after NUM of IP']);
    expect(titles([`Kernel panic - not syncing: ${'x'.repeat(500)}`])[0]).toHaveLength(120);
  });

  it('name the caller of a helper of this kind only for this kind', () => {
    const skb = ['kernel BUG at net/core/skbuff.c:211!', ...trap('skb_panic'), ...stack('skb_put', 'p2pvram_send')];
    expect(titles(skb)).toEqual(['kernel BUG in p2pvram_send']);
  });
});

describe('CrashWatch', () => {
  it('gives the first report that ends the kernel, with its function as soon as it is printed', () => {
    const watch = new CrashWatch();
    for (const [at, line] of WARNING.entries()) watch.push(line, 100 + at);
    expect(watch.crash).toBeNull();
    for (const [at, line] of [...NULL_DEREF, ...FATAL].entries()) watch.push(line, 200 + at);
    expect(watch.crash).toMatchObject({
      title: 'BUG: unable to handle kernel NULL pointer dereference in p2pvram_map',
      startLine: 200,
    });
    watch.push('Kernel panic - not syncing: another one', 300);
    expect(watch.crash?.startLine).toBe(200);
  });

  it('counts a warning that a panic ends', () => {
    const watch = new CrashWatch();
    for (const [at, line] of WARNING.entries()) watch.push(line, at);
    for (let at = 0; at < 200; at += 1) watch.push('audit: x', 50 + at);
    expect(watch.crash).toBeNull();
    watch.push('Kernel panic - not syncing: panic_on_warn set ...', 260);
    expect(watch.crash).toMatchObject({ title: 'WARNING in memremap_pages', startLine: 0 });
  });
});

describe('hostile logs', () => {
  const read = (log: string): unknown => readCrashes(log.split('\n'));
  const times = (part: string, size: number): string => part.repeat(Math.ceil(size / part.length));

  it.each<[string, (size: number) => string]>([
    ['one line of a header', (size) => times('WARNING: ', size)],
    ['many headers', (size) => times('BUG: KASAN: x in y\n', size)],
    [
      'headers of many tasks',
      (size) => Array.from({ length: size / 40 }, (_, at) => `[    1.000000][ T${at}] WARNING: a.c:1 at b`).join('\n'),
    ],
    ['a report without end', (size) => `BUG: KASAN: slab-use-after-free in x+0x1/0x2\n${times(' y+0x1/0x2\n', size)}`],
    [
      'a lockdep report of places',
      (size) => `WARNING: possible circular locking dependency detected\n${times('at: [<1>] \n', size)}`,
    ],
    ['instruction pointers', (size) => `kernel BUG at a!\n${times('RIP: 0010:[<1>] [<1>] ', size)}`],
    ['a prompt without end', (size) => times(' login: ', size)],
    ['blanks', (size) => `Call Trace:\n${times(' ', size)}`],
    ['questionable frames', (size) => `WARNING: a.c:1 at b\n${times('[    1.000000]  ? ', size)}`],
    ['a panic of digits', (size) => `Kernel panic - not syncing: ${times('1 ', size)}`],
    ['addresses of devices', (size) => times('DMA-API: device driver ', size)],
  ])('twice the input takes about twice the time: %s', async (_name, worst) => {
    const growth = await growthOf(worst, read);
    expect(growth.perDoubling, JSON.stringify(growth)).toBeLessThan(3);
  });

  it('keeps few lines of a report without end', () => {
    const log = [
      ...WARNING.slice(0, 1),
      ...Array.from({ length: 20_000 }, (_, at) => ` f${at}+0x1/0x2 ${'x'.repeat(5000)}`),
    ];
    const [report] = readCrashes(log);
    expect(report?.frames.length).toBeLessThanOrEqual(64);
    expect(report?.endLine).toBe(log.length);
  });
});

import { describe, expect, it } from 'vitest';
import { printed, stack, trap } from '../../testing/kernel-reports.js';
import { rustName } from './rust-name.js';
import { readCrashes } from './whole-log.js';

/** Of a made-up crate, as rustc mangles them; `c++filt --format=rust` says the same, but for hashes and types of numbers. */
const NAMES: [source: string, mangled: string][] = [
  ['p2pvram::sub', '_RNvCs5fGZgxfYJoz_7p2pvram3sub'],
  ['p2pvram::ioctl::{closure#0}', '_RNCNvCs5fGZgxfYJoz_7p2pvram5ioctl0B3_'],
  ['p2pvram::ioctl::{closure#1}', '_RNCNvCs5fGZgxfYJoz_7p2pvram5ioctls_0B3_'],
  ['<str>::len', '_RNvMNtCsgEmfK2I1SDS_4core3stre3lenCs5fGZgxfYJoz_7p2pvram'],
  ['<[u32]>::iter', '_RNvMNtCsgEmfK2I1SDS_4core5sliceSm4iterCs5fGZgxfYJoz_7p2pvram'],
  ['<p2pvram::fd::file::Window<3, (u8,)>>::add', '_RNvMNtNtCs5fGZgxfYJoz_7p2pvram2fd4fileINtB2_6WindowKj3_ThEE3addB6_'],
  ["<p2pvram::Mode<false, '\\u{e9}', 7>>::set", '_RNvMs3_Cs5fGZgxfYJoz_7p2pvramINtB5_4ModeKb0_Kce9_Kl7_E3setB5_'],
  ["<p2pvram::Mode<true, 'q', -5>>::set", '_RNvMs3_Cs5fGZgxfYJoz_7p2pvramINtB5_4ModeKb1_Kc71_Kln5_E3setB5_'],
  [
    'p2pvram::copy::<dyn core::iter::traits::iterator::Iterator<Item = u32>>',
    '_RINvCs5fGZgxfYJoz_7p2pvram4copyDNtNtNtNtCsgEmfK2I1SDS_4core4iter6traits8iterator8Iteratorp4ItemmEL_EB2_',
  ],
  ['<&str as p2pvram::Peer>::map', '_RNvXCs5fGZgxfYJoz_7p2pvramReNtB2_4Peer3map'],
  ['unsafe extern "C" fn(*mut u16, *const [u64])', '_RNvXs0_Cs5fGZgxfYJoz_7p2pvramFUKCOtPSyEuNtB5_4Peer3map'],
  ["for<'a> fn(&'a mut [i8; 3], bool) -> &'a u8", '_RNvXs1_Cs5fGZgxfYJoz_7p2pvramFG_QL0_Aaj3_bERL0_hNtB5_4Peer3map'],
  [
    "dyn for<'a> core::ops::function::Fn<(&'a u8,), Output = bool> + core::marker::Send",
    '_RNvXs2_Cs5fGZgxfYJoz_7p2pvramDG_INtNtNtCsgEmfK2I1SDS_4core3ops8function2FnTRL0_hEEp6OutputbNtNtBB_6marker4SendEL_NtB5_4Peer3map',
  ],
  [
    '(u8, &mut dyn core::marker::Send)',
    '_RNvXs_Cs5fGZgxfYJoz_7p2pvramThQDNtNtCsgEmfK2I1SDS_4core6marker4SendEL_ENtB4_4Peer3map',
  ],
  [
    '<p2pvram::ioctl::{closure#0} as core::ops::function::FnOnce<(&(u8,),)>>::call_once::{shim:vtable#0}',
    '_RNSNvYNCNvCs5fGZgxfYJoz_7p2pvram5ioctl0INtNtNtCsgEmfK2I1SDS_4core3ops8function6FnOnceTRThEEE9call_once6vtableB8_',
  ],
];

describe('a function of Rust', () => {
  it.each(NAMES)('%s', (source, mangled) => {
    expect([source, `<${source} as p2pvram::Peer>::map`]).toContain(rustName(mangled));
  });

  it.each([
    'p2pvram_ioctl',
    '_Raw',
    '_RNv',
    '_RNvC7p2pvram99sub',
    // Refers to itself, and to what comes later.
    '_RNvB_3sub',
    '_RNvB9_3sub',
    '_RNvNtC7p2pvramu8bcher_kva3sub',
    '_RNvMC1aFG_RL5_hEu3sub',
    `_R${'Nv'.repeat(200)}C1a1b`,
    // Each level doubles the one before; it takes no time all the same.
    `_RMC1a${'T'.repeat(30)}u${'B3_E'.repeat(30)}`,
  ])('keeps a name that it cannot read: %s', (name) => {
    expect(rustName(name)).toBe(name);
  });

  it('stands in titles and frames', () => {
    const update = '_RNvMNtNtCs5fGZgxfYJoz_7p2pvram2fd4fileINtB2_6WindowKj3_ThEE3addB6_';
    const [report] = readCrashes(
      printed('T412', [
        'rust_kernel: panicked at drivers/p2p/p2pvram.rs:87:13:',
        'attempt to subtract with overflow',
        'kernel BUG at rust/helpers/bug.c:7!',
        ...trap('rust_helper_BUG'),
        ...stack(
          '_RNvCs1_7___rustc17rust_begin_unwind',
          '_RNvNtCs2_4core9panicking9panic_fmt',
          update,
          '__x64_sys_ioctl',
        ),
      ]),
    );
    expect(report).toMatchObject({
      title: 'attempt to subtract with overflow in <p2pvram::fd::file::Window<NUM, (u8,)>>::add',
      corrupted: false,
      frames: [
        '__rustc::rust_begin_unwind',
        'core::panicking::panic_fmt',
        '<p2pvram::fd::file::Window<3, (u8,)>>::add',
        '__x64_sys_ioctl',
      ],
    });
    expect(report?.calls.map(({ call }) => call)).toContain(`${update}+0x1c4/0x2e0`);
  });

  it('may have a name of hundreds of characters', () => {
    const long = `_RNvC7p2pvram400_${'x'.repeat(400)}`;
    const [report] = readCrashes([
      'BUG: unable to handle page fault for address: ffffc90000a50000',
      '#PF: supervisor read access in kernel mode',
      'Oops: Oops: 0000 [#1] SMP',
      ...trap(long),
      ...stack('p2pvram_ioctl'),
    ]);
    expect(report?.corrupted).toBe(false);
    expect(report?.title).toMatch(/^BUG: unable to handle kernel paging request in p2pvram::x+$/);
  });
});

/**
 * Names of CPU families, which the kernel and the combinations of hardware know by number. AMD's are those of its
 * processor programming references and of `arch/x86/kernel/cpu/amd.c`; Intel's family 6 has been every Core and Xeon since
 * the Pentium Pro, and only the model tells them apart.
 */
const FAMILIES: Readonly<Record<string, Readonly<Record<number, string>>>> = {
  AuthenticAMD: {
    0x0f: 'K8',
    0x10: 'K10',
    0x15: 'Bulldozer',
    0x16: 'Jaguar',
    0x17: 'Zen 1/2',
    0x19: 'Zen 3/4',
    0x1a: 'Zen 5',
  },
  HygonGenuine: { 0x18: 'Dhyana' },
};

const VENDORS: Readonly<Record<string, string>> = {
  AuthenticAMD: 'AMD',
  GenuineIntel: 'Intel',
  HygonGenuine: 'Hygon',
};

/**
 * `AMD Zen 1/2`, `Intel family 6`; a number above 9 is hexadecimal, as vendors write it.
 * @param vendor the vendor string of CPUID, as in /proc/cpuinfo
 */
export function cpuFamilyName(vendor: string, family: number): string {
  const number = family > 9 ? `0x${family.toString(16)}` : String(family);
  return `${VENDORS[vendor] ?? vendor} ${FAMILIES[vendor]?.[family] ?? `family ${number}`}`;
}

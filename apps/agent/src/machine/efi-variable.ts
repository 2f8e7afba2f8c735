/**
 * Shell text that prints the value of an EFI variable, without the four bytes of attributes in front of it.
 * Read through a pipe: tail seeks in every file, and efivarfs refuses that.
 * @param file its path in efivarfs, as a word of the shell
 */
export const efiValue = (file: string): string => `cat ${file} 2>/dev/null | tail -c +5`;

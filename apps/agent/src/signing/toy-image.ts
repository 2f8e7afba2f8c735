/** A small EFI application for x86-64 that does nothing: a header and sections of these sizes, one after the other. */
export function toyImage(sectionBytes: readonly number[] = [512, 1000], tail = 3): Buffer {
  const headerBytes = 512;
  const image = Buffer.alloc(headerBytes + sectionBytes.reduce((sum, bytes) => sum + bytes, tail), 0x5a);
  image.fill(0, 0, headerBytes);
  const peAt = 0x80;
  const optionalAt = peAt + 24;
  image.write('MZ');
  image.writeUInt32LE(peAt, 0x3c);
  image.write('PE\0\0', peAt, 'latin1');
  image.writeUInt16LE(0x8664, peAt + 4);
  image.writeUInt16LE(sectionBytes.length, peAt + 6);
  // Optional header with six data directories; EFI executable.
  const optionalBytes = 112 + 6 * 8;
  image.writeUInt16LE(optionalBytes, peAt + 20);
  image.writeUInt16LE(0x0206, peAt + 22);
  image.writeUInt16LE(0x020b, optionalAt);
  image.writeUInt32LE(0x1000, optionalAt + 16);
  image.writeUInt32LE(0x1000, optionalAt + 32);
  image.writeUInt32LE(512, optionalAt + 36);
  image.writeUInt32LE(0x1000 * (sectionBytes.length + 1), optionalAt + 56);
  image.writeUInt32LE(headerBytes, optionalAt + 60);
  image.writeUInt32LE(0xdeadbeef, optionalAt + 64);
  image.writeUInt16LE(10, optionalAt + 68);
  image.writeUInt32LE(6, optionalAt + 108);
  let at = headerBytes;
  for (const [index, bytes] of sectionBytes.entries()) {
    const section = optionalAt + optionalBytes + index * 40;
    image.write(`.s${index}`, section);
    image.writeUInt32LE(bytes, section + 8);
    image.writeUInt32LE(0x1000 * (index + 1), section + 12);
    image.writeUInt32LE(bytes, section + 16);
    image.writeUInt32LE(at, section + 20);
    at += bytes;
  }
  return image;
}

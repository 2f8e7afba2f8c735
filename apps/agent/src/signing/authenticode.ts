import { createHash, type KeyObject, sign, type X509Certificate } from 'node:crypto';
import { context, der, oid, pieces, primitive, sequence, TAG } from './der.js';
import { attachSignature, authenticodeDigest, padded, readPeImage } from './pe-image.js';

const NULL = der(TAG.null);
const SHA256 = sequence(oid('2.16.840.1.101.3.4.2.1'), NULL);
const RSA = sequence(oid('1.2.840.113549.1.1.1'), NULL);
const SIGNED_DATA = oid('1.2.840.113549.1.7.2');
const CONTENT_TYPE = oid('1.2.840.113549.1.9.3');
const MESSAGE_DIGEST = oid('1.2.840.113549.1.9.4');
const INDIRECT_DATA = oid('1.3.6.1.4.1.311.2.1.4');
const PE_IMAGE = oid('1.3.6.1.4.1.311.2.1.15');
const ONE = der(TAG.integer, Buffer.of(1));
/** Where Authenticode wants a link to the file; every signer writes this. */
const NO_LINK = Buffer.from('<<<Obsolete>>>', 'utf16le').swap16();

const sha256 = (data: Buffer): Buffer => createHash('sha256').update(data).digest();

/** Issuer and serial number of a certificate, as they stand in it. */
function issuerAndSerial({ raw }: X509Certificate): Buffer {
  const body = pieces(pieces(pieces(raw)[0]?.content ?? raw)[0]?.content ?? raw);
  // Version, which the first one has not, serial number, algorithm, issuer.
  const [serial, , issuer] = body[0]?.tag === context(0) ? body.slice(1) : body;
  if (serial === undefined || issuer === undefined) throw new Error('the certificate has no issuer');
  return sequence(issuer.whole, serial.whole);
}

/** PKCS #7 message that says, for an image with this digest, that the owner of the certificate signed it. */
function signedData(imageDigest: Buffer, certificate: X509Certificate, key: KeyObject): Buffer {
  const link = der(context(0), der(context(2), der(primitive(0), NO_LINK)));
  const image = sequence(PE_IMAGE, sequence(der(TAG.bitString, Buffer.of(0)), link));
  const indirect = [image, sequence(SHA256, der(TAG.octetString, imageDigest))];
  const attributes = [
    sequence(CONTENT_TYPE, der(TAG.set, INDIRECT_DATA)),
    sequence(MESSAGE_DIGEST, der(TAG.set, der(TAG.octetString, sha256(Buffer.concat(indirect))))),
  ];
  // Signed as a set, written with a tag of their own. Without a time: the same image gets the same signature.
  const signature = sign('sha256', der(TAG.set, ...attributes), key);
  const signer = sequence(
    ONE,
    issuerAndSerial(certificate),
    SHA256,
    der(context(0), ...attributes),
    RSA,
    der(TAG.octetString, signature),
  );
  const data = sequence(
    ONE,
    der(TAG.set, SHA256),
    sequence(INDIRECT_DATA, der(context(0), sequence(...indirect))),
    der(context(0), certificate.raw),
    der(TAG.set, signer),
  );
  return sequence(SIGNED_DATA, der(context(0), data));
}

/**
 * Signs an EFI application, such as a kernel, with an RSA key as Secure Boot wants it (Authenticode, SHA-256). The same image, key
 * and certificate give the same bytes. Throws ImageError when the image is not of the form that all loaders agree on.
 */
export function signImage(image: Buffer, certificate: X509Certificate, key: KeyObject): Buffer {
  const whole = padded(image);
  const places = readPeImage(whole);
  return attachSignature(whole, places, signedData(authenticodeDigest(whole, places), certificate, key));
}

export { ImageError, withoutSignature } from './pe-image.js';
export { type KernelSigner, openSigner, type SigningSettings } from './kernel-signer.js';

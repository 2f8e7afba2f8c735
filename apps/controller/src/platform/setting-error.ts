/** A setting that cannot be used; the message names the setting and the remedy. */
export class SettingError extends Error {}

/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PEERLAB_DISTURB_H
#define PEERLAB_DISTURB_H

/**
 * disturb_start() - let the kernel move memory about until this process ends
 *
 * Return: NULL, or what it takes and this machine does not have.
 */
const char *disturb_start(void);

#endif

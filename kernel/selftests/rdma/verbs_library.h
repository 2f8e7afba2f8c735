/* SPDX-License-Identifier: GPL-2.0 */
/*
 * libibverbs without linking against it: verbs.h is used as ever, and the
 * functions it declares are looked up in the library when it is there.
 */
#ifndef VERBS_LIBRARY_H
#define VERBS_LIBRARY_H

/**
 * verbs_load() - open libibverbs
 *
 * Return: NULL, or why it cannot be used.
 */
const char *verbs_load(void);

#endif /* VERBS_LIBRARY_H */

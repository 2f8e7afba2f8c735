/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a suite may not leave behind: compared between before its first test
 * and H01.nothing_left, its last.
 */
#ifndef HYGIENE_H
#define HYGIENE_H

/* Take the state of before; for ktap_main(). */
void hygiene_before(void);
/* The test. */
void h01_nothing_left(void);

/*
 * From now on until hygiene_expect_splat(false) the kernel may complain: a test
 * wants it to.
 */
void hygiene_expect_splat(int begin);

/* Messages with one of @texts, to NULL, are no complaints in this suite; for its main(). */
void hygiene_expect(const char *const *texts);

/* Does the kernel's log have @text since hygiene_watch_log()? */
int hygiene_watch_log(void);
int hygiene_log_has(int watch, const char *text);

#endif /* HYGIENE_H */

/* SPDX-License-Identifier: GPL-2.0 */
/* Small files, read and written without the harness. */
#ifndef FILES_H
#define FILES_H

#include <stdbool.h>
#include <stddef.h>

/* 0, or -errno. */
int try_write_file(const char *path, const char *text);
/* The first line without its newline; false when it cannot be read. */
bool read_file_line(const char *path, char *line, size_t size);

#endif

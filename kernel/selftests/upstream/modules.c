// SPDX-License-Identifier: GPL-2.0
/* Load modules of the running kernel with what they depend on. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "runner.h"

#define MODULES_MAX	32

/* Loaded by us, in this order. */
static char *loaded[MODULES_MAX];
static unsigned int loaded_count;

/* Is @path the file of module @name?  '-' and '_' are one in such names. */
static bool names_module(const char *path, size_t length, const char *name)
{
	const char *end = path + length, *base = path, *p;

	for (p = path; p < end; p++)
		if (*p == '/')
			base = p + 1;
	for (; base < end && *name; base++, name++) {
		char a = *base == '-' ? '_' : *base;
		char b = *name == '-' ? '_' : *name;

		if (a != b)
			return false;
	}
	return !*name && end - base >= 3 && !strncmp(base, ".ko", 3);
}

/*
 * The line of modules.dep that is about @name: "file: needed...", where a
 * needed one stands before what it needs itself.  To be freed, or NULL.
 */
static char *find_line(const char *directory, const char *name)
{
	char path[512], *line = NULL;
	size_t size = 0;
	ssize_t length;
	FILE *file;

	snprintf(path, sizeof(path), "%s/modules.dep", directory);
	file = fopen(path, "re");
	if (!file)
		return NULL;
	while ((length = getline(&line, &size, file)) > 0) {
		if (names_module(line, strcspn(line, ":"), name)) {
			fclose(file);
			line[strcspn(line, "\n")] = '\0';
			return line;
		}
	}
	fclose(file);
	free(line);
	return NULL;
}

static void modules_directory(char *directory, size_t size)
{
	struct utsname names;

	uname(&names);
	snprintf(directory, size, "/lib/modules/%s", names.release);
}

/**
 * module_exists() - has the running kernel such a module?
 * @name: without folder and ".ko"
 */
bool module_exists(const char *name)
{
	char directory[256], *line;

	modules_directory(directory, sizeof(directory));
	line = find_line(directory, name);
	free(line);
	return line;
}

static int insert(const char *directory, const char *file, const char *parameters)
{
	char path[768], name[128];
	const char *base;
	int fd, error;
	size_t i;

	snprintf(path, sizeof(path), "%s/%s", directory, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	error = syscall(SYS_finit_module, fd, parameters, 0) ? -errno : 0;
	close(fd);
	if (error == -EEXIST)
		return 0;
	if (error || loaded_count == MODULES_MAX)
		return error;
	base = strrchr(file, '/');
	snprintf(name, sizeof(name), "%s", base ? base + 1 : file);
	name[strcspn(name, ".")] = '\0';
	for (i = 0; name[i]; i++)
		if (name[i] == '-')
			name[i] = '_';
	loaded[loaded_count++] = strdup(name);
	return 0;
}

/**
 * load_module() - load a module and what it needs
 * @name: without folder and ".ko"
 * @parameters: of the module itself, "" for none
 *
 * Return: 0, also when it was loaded before, or a negative errno; -ENOENT when
 * the running kernel has no such module.
 */
int load_module(const char *name, const char *parameters)
{
	char directory[256], *line, *colon, *word;
	int error = 0;

	modules_directory(directory, sizeof(directory));
	line = find_line(directory, name);
	if (!line)
		return -ENOENT;
	colon = strchr(line, ':');
	*colon = '\0';
	/* From the last to the first: what others need comes last. */
	while (!error && (word = strrchr(colon + 1, ' ')) && word[1]) {
		error = insert(directory, word + 1, "");
		*word = '\0';
	}
	if (!error)
		error = insert(directory, line, parameters);
	free(line);
	return error;
}

/**
 * unload_modules() - remove what load_module() has loaded, the last first
 */
void unload_modules(void)
{
	while (loaded_count) {
		char *name = loaded[--loaded_count];

		if (syscall(SYS_delete_module, name, O_NONBLOCK))
			printf("# module %s stays loaded: %s\n", name,
			       strerror(errno));
		free(name);
	}
}

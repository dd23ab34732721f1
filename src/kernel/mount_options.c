// SPDX-License-Identifier: Apache-2.0
#include "base/memory.h"
#include "base/text.h"
#include "kernel/mount.h"
#include <string.h>
#include <sys/mount.h>

#ifndef MOUNT_ATTR__ATIME
#define MOUNT_ATTR__ATIME 0x00000070
#endif
#ifndef MOUNT_ATTR_NOSYMFOLLOW
#define MOUNT_ATTR_NOSYMFOLLOW 0x00200000
#endif

enum { OPTIONS_MAX = 256, VALUE_MAX = 4096 };

enum word_kind { NOTHING, SET, CLEAR, ATIME, PROPAGATION, BIND, REMOUNT, COPY_UP, IDMAP };

// `recursive`: for all mounts below too.
static const struct word {
	const char *word;
	enum word_kind kind;
	uint64_t value;
	bool recursive;
} words[] = {
	// clang-format off
	{"defaults",       NOTHING},
	{"silent",         NOTHING},
	{"loud",           NOTHING},
	{"ro",             SET,    MOUNT_ATTR_RDONLY},
	{"rw",             CLEAR,  MOUNT_ATTR_RDONLY},
	{"nosuid",         SET,    MOUNT_ATTR_NOSUID},
	{"suid",           CLEAR,  MOUNT_ATTR_NOSUID},
	{"nodev",          SET,    MOUNT_ATTR_NODEV},
	{"dev",            CLEAR,  MOUNT_ATTR_NODEV},
	{"noexec",         SET,    MOUNT_ATTR_NOEXEC},
	{"exec",           CLEAR,  MOUNT_ATTR_NOEXEC},
	{"nodiratime",     SET,    MOUNT_ATTR_NODIRATIME},
	{"diratime",       CLEAR,  MOUNT_ATTR_NODIRATIME},
	{"nosymfollow",    SET,    MOUNT_ATTR_NOSYMFOLLOW},
	{"symfollow",      CLEAR,  MOUNT_ATTR_NOSYMFOLLOW},
	{"relatime",       ATIME,  MOUNT_ATTR_RELATIME},
	{"norelatime",     ATIME,  MOUNT_ATTR_RELATIME},
	{"noatime",        ATIME,  MOUNT_ATTR_NOATIME},
	{"atime",          ATIME,  MOUNT_ATTR_RELATIME},
	{"strictatime",    ATIME,  MOUNT_ATTR_STRICTATIME},
	{"nostrictatime",  ATIME,  MOUNT_ATTR_RELATIME},
	{"rro",            SET,    MOUNT_ATTR_RDONLY,      true},
	{"rrw",            CLEAR,  MOUNT_ATTR_RDONLY,      true},
	{"rnosuid",        SET,    MOUNT_ATTR_NOSUID,      true},
	{"rsuid",          CLEAR,  MOUNT_ATTR_NOSUID,      true},
	{"rnodev",         SET,    MOUNT_ATTR_NODEV,       true},
	{"rdev",           CLEAR,  MOUNT_ATTR_NODEV,       true},
	{"rnoexec",        SET,    MOUNT_ATTR_NOEXEC,      true},
	{"rexec",          CLEAR,  MOUNT_ATTR_NOEXEC,      true},
	{"rnodiratime",    SET,    MOUNT_ATTR_NODIRATIME,  true},
	{"rdiratime",      CLEAR,  MOUNT_ATTR_NODIRATIME,  true},
	{"rnosymfollow",   SET,    MOUNT_ATTR_NOSYMFOLLOW, true},
	{"rsymfollow",     CLEAR,  MOUNT_ATTR_NOSYMFOLLOW, true},
	{"rrelatime",      ATIME,  MOUNT_ATTR_RELATIME,    true},
	{"rnorelatime",    ATIME,  MOUNT_ATTR_RELATIME,    true},
	{"rnoatime",       ATIME,  MOUNT_ATTR_NOATIME,     true},
	{"ratime",         ATIME,  MOUNT_ATTR_RELATIME,    true},
	{"rstrictatime",   ATIME,  MOUNT_ATTR_STRICTATIME, true},
	{"rnostrictatime", ATIME,  MOUNT_ATTR_RELATIME,    true},
	{"private",        PROPAGATION, MS_PRIVATE},
	{"shared",         PROPAGATION, MS_SHARED},
	{"slave",          PROPAGATION, MS_SLAVE},
	{"unbindable",     PROPAGATION, MS_UNBINDABLE},
	{"rprivate",       PROPAGATION, MS_PRIVATE,        true},
	{"rshared",        PROPAGATION, MS_SHARED,         true},
	{"rslave",         PROPAGATION, MS_SLAVE,          true},
	{"runbindable",    PROPAGATION, MS_UNBINDABLE,     true},
	{"bind",           BIND},
	{"rbind",          BIND,   0,                      true},
	{"remount",        REMOUNT},
	{"tmpcopyup",      COPY_UP},
	{"idmap",          IDMAP},
	{"ridmap",         IDMAP,  0,                      true},
	// clang-format on
};

static const struct word *find(const char *word)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (strcmp(words[i].word, word) == 0)
			return &words[i];
	}
	return NULL;
}

// set, clear and mask: the last word on a bit wins.
static void decide(uint64_t *set, uint64_t *clear, uint64_t add, uint64_t mask)
{
	*set = (*set & ~mask) | add;
	*clear = (*clear & ~mask) | (mask & ~add);
}

static void obey(struct mount_options *o, const struct word *w)
{
	uint64_t *set = w->recursive ? &o->recursive_set : &o->set;
	uint64_t *clear = w->recursive ? &o->recursive_clear : &o->clear;
	switch (w->kind) {
	case NOTHING:
		break;
	case SET:
		decide(set, clear, w->value, w->value);
		break;
	case CLEAR:
		decide(set, clear, 0, w->value);
		break;
	case ATIME:
		decide(set, clear, w->value, MOUNT_ATTR__ATIME);
		// mount_setattr(2) clears this field whole or not at all.
		*clear |= MOUNT_ATTR__ATIME;
		break;
	case PROPAGATION:
		o->propagation = w->value;
		o->propagation_recursive = w->recursive;
		break;
	case BIND:
		o->bind = true;
		o->recursive = o->recursive || w->recursive;
		break;
	case REMOUNT:
		o->remount = true;
		break;
	case COPY_UP:
		o->copy_up = true;
		break;
	case IDMAP:
		o->idmap = true;
		o->idmap_recursive = o->idmap_recursive || w->recursive;
		break;
	}
}

static fallible add_datum(struct mount_options *o, char *option, size_t *capacity)
{
	char *equals = strchr(option, '=');
	if (equals == option)
		return error_new(ERROR_INVALID, "mount option \"%.64s\": no name", option);
	if (strlen(option) > VALUE_MAX)
		return error_new(ERROR_INVALID, "mount option \"%.64s…\": too long", option);
	alloc_grow(&o->data, capacity, o->n_data, sizeof(*o->data));
	if (equals)
		*equals = 0;
	o->data[o->n_data++] = (struct mount_datum){option, equals ? equals + 1 : NULL};
	return NULL;
}

static fallible parse(struct mount_options *o)
{
	size_t capacity = 0, n = 0;
	char *rest = o->text;
	for (char *option; (option = strsep(&rest, ","));) {
		if (!*option)
			continue;
		if (++n > OPTIONS_MAX)
			return error_new(ERROR_INVALID, "more than %d mount options", OPTIONS_MAX);
		const struct word *w = find(option);
		if (w)
			obey(o, w);
		else
			TRY(add_datum(o, option, &capacity));
	}
	return NULL;
}

fallible mount_options_parse(const char *const *options, size_t n, struct mount_options *ret)
{
	auto_str struct str text = STR_LIMIT((size_t)OPTIONS_MAX * 1024);
	for (size_t i = 0; i < n; i++) {
		if (i)
			str_add_char(&text, ',');
		str_add(&text, options[i]);
	}
	if (text.over)
		return error_new(ERROR_INVALID, "mount options longer than %d KiB", OPTIONS_MAX);
	auto_mount_options struct mount_options o = {.text = str_take(&text)};
	TRY(parse(&o));
	*ret = o;
	o = (struct mount_options){0};
	return NULL;
}

void mount_options_done(struct mount_options *o)
{
	free(o->data);
	free(o->text);
	*o = (struct mount_options){0};
}

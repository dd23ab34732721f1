// SPDX-License-Identifier: Apache-2.0
#include "base/error.h"
#include "base/memory.h"
#include <string.h>

static struct error *make(enum error_code code, int sys, char *message)
{
	struct error *e = alloc(sizeof(*e));
	*e = (struct error){.code = code, .sys = sys, .message = message};
	return e;
}

struct error *error_new(enum error_code code, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	char *message = alloc_vprintf(format, args);
	va_end(args);
	return make(code, 0, message);
}

struct error *error_system(int sys, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	auto_free char *what = alloc_vprintf(format, args);
	va_end(args);
	return make(ERROR_SYSTEM, sys, alloc_printf("%s: %s", what, strerror(sys)));
}

struct error *error_prefix(struct error *e, const char *format, ...)
{
	if (!e)
		return NULL;
	va_list args;
	va_start(args, format);
	auto_free char *prefix = alloc_vprintf(format, args);
	va_end(args);
	auto_free char *old = e->message;
	e->message = alloc_printf("%s: %s", prefix, old);
	return e;
}

struct error *error_hint(struct error *e, const char *format, ...)
{
	if (!e || e->hint)
		return e;
	va_list args;
	va_start(args, format);
	e->hint = alloc_vprintf(format, args);
	va_end(args);
	return e;
}

struct error *error_join(struct error *first, struct error *second)
{
	if (!first)
		return second;
	if (!second)
		return first;
	// One cause can fail several steps; it is told once.
	if (!strstr(first->message, second->message)) {
		auto_free char *old = first->message;
		first->message = alloc_printf("%s; %s", old, second->message);
	}
	error_free(second);
	return first;
}

struct error *error_recode(struct error *e, enum error_code code)
{
	if (e)
		e->code = code;
	return e;
}

struct error *error_because(struct error *e, int sys)
{
	if (e)
		e->sys = sys;
	return e;
}

bool error_is(const struct error *e, enum error_code code)
{
	return e && e->code == code;
}

void error_free(struct error *e)
{
	if (!e)
		return;
	int saved = errno;
	free(e->message);
	free(e->hint);
	free(e);
	errno = saved;
}

void error_drop(struct error **e)
{
	error_free(*e);
	*e = NULL;
}

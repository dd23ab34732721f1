// SPDX-License-Identifier: Apache-2.0
#include "cli/invocation.h"
#include "cli/gotext.h"
#include "cli/units.h"
#include <assert.h>

// The flag, and the level of the lineage that answers for it. One that is only accepted (ctr's
// `content active --root`) doesn't answer for the program's.
static const struct flag *lookup(const struct invocation *in, const char *name, size_t *ret_level)
{
	const struct flag *idle = NULL;
	for (size_t level = in->depth; level-- > 0;) {
		const struct flag *flag = command_flag(in->lineage[level], name, true);
		if (!flag || (idle && flag->bits & FLAG_IDLE))
			continue;
		*ret_level = level;
		if (!(flag->bits & FLAG_IDLE))
			return flag;
		idle = flag;
	}
	return idle;
}

// The last value given on the command line, else the variable's, else the default, else "".
static const char *last_value(const struct invocation *in, const char *name, bool *ret_given)
{
	size_t level = 0;
	const struct flag *flag = lookup(in, name, &level);
	assert(flag && "a flag that is not in the command's row");
	*ret_given = true;
	for (size_t i = in->n_settings; i-- > 0;)
		if (in->settings[i].flag == flag && in->settings[i].level == level)
			return in->settings[i].value;
	const char *env = flag->env ? getenv(flag->env) : NULL;
	if (env && *env)
		return env;
	*ret_given = false;
	return flag->initial ? flag->initial : "";
}

bool flag_given(const struct invocation *in, const char *name)
{
	bool given;
	last_value(in, name, &given);
	return given;
}

const char *flag_text(const struct invocation *in, const char *name)
{
	bool given;
	return last_value(in, name, &given);
}

// The values below were checked by the parser, the defaults by a test: the zero is for "".
bool flag_bool(const struct invocation *in, const char *name)
{
	bool value = false;
	go_parse_bool(flag_text(in, name), &value);
	return value;
}

int64_t flag_int(const struct invocation *in, const char *name)
{
	int64_t value = 0;
	go_parse_int(flag_text(in, name), &value);
	return value;
}

uint64_t flag_uint(const struct invocation *in, const char *name)
{
	uint64_t value = 0;
	const char *text = flag_text(in, name);
	if (go_parse_uint(text, &value) != GO_OK && *text)
		error_free(units_parse_size(text, &value)); // the parser let FLAG_SIZE through
	return value;
}

double flag_float(const struct invocation *in, const char *name)
{
	double value = 0;
	go_parse_float(flag_text(in, name), &value);
	return value;
}

int64_t flag_duration_ns(const struct invocation *in, const char *name)
{
	int64_t value = 0;
	go_parse_duration(flag_text(in, name), &value);
	return value;
}

const char **flag_texts(const struct invocation *in, const char *name, size_t *ret_n)
{
	size_t level = 0, n = 0;
	const struct flag *flag = lookup(in, name, &level);
	assert(flag && "a flag that is not in the command's row");
	const char **values = alloc_array(in->n_settings + 1, sizeof(*values));
	for (size_t i = 0; i < in->n_settings; i++)
		if (in->settings[i].flag == flag && in->settings[i].level == level)
			values[n++] = in->settings[i].value;
	*ret_n = n;
	return values;
}

void flag_environment(const struct invocation *in, struct strings *ret)
{
	size_t n;
	auto_free const char **values = flag_texts(in, "env", &n);
	for (size_t i = 0; i < n; i++) {
		bool is_name = !in->ctr && *values[i] && !strchr(values[i], '=');
		const char *ours = is_name ? getenv(values[i]) : NULL;
		if (ours)
			strings_adopt(ret, alloc_printf("%s=%s", values[i], ours));
		else
			strings_add(ret, values[i]);
	}
}

const char *argument(const struct invocation *in, size_t i)
{
	return i < in->n_args ? in->args[i] : "";
}

fallible argument_needed(const struct invocation *in, size_t i, const char *message)
{
	if (*argument(in, i))
		return NULL;
	return error_hint(error_new(ERROR_USAGE, "%s", message), "%s %s --help shows the arguments",
	                  in->program, in->command->path);
}

// SPDX-License-Identifier: Apache-2.0
#include "cli/print.h"
#include "cli/gotext.h"
#include "cli/output.h"

#define DOCUMENT_LIMIT ((size_t)16 << 20)

fallible print_wants_json(const struct invocation *in, bool *ret)
{
	const char *format = flag_text(in, "format");
	if (!text_equal(format, "table") && !text_equal(format, "json"))
		return error_new(ERROR_USAGE, "format must be table or json");
	*ret = text_equal(format, "json");
	return NULL;
}

void print_json(const struct json *value)
{
	auto_str struct str text = STR_LIMIT(OUTPUT_LIMIT);
	json_print(value, 4, JSON_ESCAPE_HTML, &text);
	str_add_char(&text, '\n');
	output_str(&text);
}

void print_json_text(const char *text)
{
	auto_json struct json *value = NULL;
	auto_error struct error *e = json_parse(text, strlen(text), DOCUMENT_LIMIT, &value);
	if (!e)
		print_json(value);
	else
		output_line(text);
}

void print_labels(struct str *out, const struct engine_labels *labels)
{
	str_add(out, "");
	for (size_t i = 0; i < labels->n; i++)
		str_printf(out, "%s%s=%s", i > 0 ? "," : "", labels->items[i].key,
		           labels->items[i].value);
}

struct json *print_labels_json(const struct engine_labels *labels)
{
	if (labels->n == 0)
		return NULL;
	struct json *object = json_new_object();
	for (size_t i = 0; i < labels->n; i++)
		json_set_string(object, labels->items[i].key, labels->items[i].value);
	return object;
}

void print_label_line(const struct engine_labels *labels)
{
	auto_str struct str text = STR_LIMIT(OUTPUT_LIMIT);
	print_labels(&text, labels);
	output_line(text.bytes);
}

void print_set_time(struct json *object, const char *key, int64_t ns)
{
	auto_str struct str text = STR_LIMIT(64);
	go_time_rfc3339(&text, ns);
	json_set_string(object, key, text.bytes);
}

struct json *print_strings_json(const struct strings *list)
{
	struct json *array = json_new_array();
	for (size_t i = 0; i < list->n; i++)
		json_append_string(array, list->items[i]);
	return array;
}

void print_mounts_json(const struct engine_mounts *mounts)
{
	auto_json struct json *array = json_new_array();
	for (size_t i = 0; i < mounts->n; i++) {
		const struct engine_mount *m = &mounts->items[i];
		struct json *object = json_new_object();
		json_set_string(object, "Type", m->type);
		json_set_string(object, "Source", m->source);
		json_set_string(object, "Target", m->target ? m->target : "");
		json_set(object, "Options", print_strings_json(&m->options));
		json_append(array, object);
	}
	print_json(array);
}

void print_shell_word(struct str *out, const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_-./:,=+@%";
	if (*word && strspn(word, plain) == strlen(word)) {
		str_add(out, word);
		return;
	}
	str_add_char(out, '\'');
	for (; *word; word++) {
		if (*word == '\'')
			str_add(out, "'\\''");
		else
			str_add_char(out, *word);
	}
	str_add_char(out, '\'');
}

void print_mounts_commands(const struct engine_mounts *mounts, const char *target)
{
	auto_str struct str text = STR_LIMIT(OUTPUT_LIMIT);
	for (size_t i = 0; i < mounts->n; i++) {
		const struct engine_mount *m = &mounts->items[i];
		auto_str struct str options = STR_LIMIT(OUTPUT_LIMIT), at = STR_LIMIT(65536);
		str_add(&options, "");
		for (size_t o = 0; o < m->options.n; o++)
			str_printf(&options, "%s%s", o > 0 ? "," : "", m->options.items[o]);
		bool below = m->target && *m->target && !text_equal(m->target, "/");
		str_printf(&at, "%s%s%s", target, below && m->target[0] != '/' ? "/" : "",
		           below ? m->target : "");
		str_add(&text, "mount -t ");
		print_shell_word(&text, m->type);
		str_add_char(&text, ' ');
		print_shell_word(&text, m->source);
		str_add_char(&text, ' ');
		print_shell_word(&text, at.bytes);
		str_add(&text, " -o ");
		print_shell_word(&text, options.bytes);
		str_add_char(&text, '\n');
	}
	output_str(&text);
}

void print_base64(struct str *out, const void *bytes, size_t size)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *b = bytes;
	for (size_t i = 0; i < size; i += 3) {
		uint32_t three = (uint32_t)b[i] << 16;
		three |= i + 1 < size ? (uint32_t)b[i + 1] << 8 : 0;
		three |= i + 2 < size ? b[i + 2] : 0;
		str_add_char(out, digits[three >> 18]);
		str_add_char(out, digits[three >> 12 & 63]);
		str_add_char(out, i + 1 < size ? digits[three >> 6 & 63] : '=');
		str_add_char(out, i + 2 < size ? digits[three & 63] : '=');
	}
}

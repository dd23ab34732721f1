// SPDX-License-Identifier: Apache-2.0
#include "cli/output.h"
#include "cli/gotext.h"
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static void clean(struct str *out, const char *text, const char *kept)
{
	for (const char *s = text; *s; s++) {
		unsigned char c = (unsigned char)*s, next = (unsigned char)s[1];
		if ((c < 0x20 || c == 0x7f) && !strchr(kept, c))
			str_printf(out, "\\x%02x", c);
		else if (c == 0xc2 && next >= 0x80 && next < 0xa0) // a control beyond ASCII
			str_printf(out, "\\x%02x", (unsigned char)*++s);
		else
			str_add_char(out, *s);
	}
}

void output_clean(struct str *out, const char *text)
{
	clean(out, text, "");
}

void output_clean_lines(struct str *out, const char *text)
{
	clean(out, text, "\n\t");
}

static bool is_cut; // something was longer than OUTPUT_LIMIT

static int write_error; // the first one: later ones say less

bool output_bytes(FILE *to, const char *bytes, size_t size)
{
	errno = 0;
	if (fwrite(bytes, 1, size, to) < size && to == stdout && !write_error)
		write_error = errno ? errno : EIO;
	return !ferror(to);
}

bool output_flush(void)
{
	if (fflush(stdout) != 0 && !write_error)
		write_error = errno;
	return !ferror(stdout);
}

void output_str(const struct str *s)
{
	is_cut |= s->over;
	if (s->size > 0)
		output_bytes(stdout, s->bytes, s->size);
}

void output_line(const char *text)
{
	auto_str struct str line = STR_LIMIT(OUTPUT_LIMIT);
	output_clean(&line, text);
	str_add_char(&line, '\n');
	output_str(&line);
}

fallible output_finish(void)
{
	if (is_cut)
		return error_new(ERROR_LIMIT, "the output is cut: longer than %d MiB",
		                 OUTPUT_LIMIT >> 20);
	bool failed = ferror(stdout);
	if (fflush(stdout) != 0 && !write_error)
		write_error = errno;
	errno = write_error ? write_error : EIO;
	if (write_error || failed)
		FAIL_ERRNO("write to standard output");
	// Some file systems tell of a full disk only here. Standard output may be closed already.
	if (close(STDOUT_FILENO) < 0 && errno != EBADF)
		FAIL_ERRNO("close standard output");
	return NULL;
}

bool output_is_fancy(void)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
	return isatty(STDERR_FILENO) && !(no_color && *no_color) && !text_equal(term, "dumb");
}

static int64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

void output_log(const struct invocation *in, const char *level, const char *message,
                const char *cause)
{
	auto_str struct str line = STR_LIMIT(OUTPUT_LIMIT);
	if (in->ctr) {
		str_add(&line, "time=\"");
		go_time_seconds(&line, now_ns());
		str_printf(&line, "\" level=%s msg=", level);
		go_quote(&line, message);
		if (cause) {
			str_add(&line, " error=");
			go_quote(&line, cause);
		}
	} else {
		str_printf(&line, "%s: %s: ", in->program, level);
		output_clean(&line, message);
		if (cause) {
			str_add(&line, ": ");
			output_clean(&line, cause);
		}
	}
	str_add_char(&line, '\n');
	fwrite(line.bytes, 1, line.size, stderr);
}

void output_note(const struct invocation *in, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	auto_free char *text = alloc_vprintf(format, args);
	va_end(args);
	auto_str struct str line = STR_LIMIT(OUTPUT_LIMIT);
	str_printf(&line, "%s: note: ", in->program);
	output_clean(&line, text);
	str_add_char(&line, '\n');
	fwrite(line.bytes, 1, line.size, stderr);
}

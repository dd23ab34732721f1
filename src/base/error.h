// SPDX-License-Identifier: Apache-2.0
// Errors: one type, one channel. A function that can fail returns `struct error *`, NULL when
// all is well, so that return code and message cannot disagree.
// An error is made once, where it is understood; it is passed up unchanged or with one prefix.
#pragma once
#include "base/defer.h"
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>

#if defined(__MINGW32__)
#define PRINTF(fmt, args) __attribute__((format(gnu_printf, fmt, args)))
#else
#define PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#endif

// Only what somebody branches on. cli/ holds the one table from code to exit status.
enum error_code {
	ERROR_SYSTEM,         // a system call failed; .sys is its errno
	ERROR_INVALID,        // input that can't be accepted
	ERROR_USAGE,          // the command line is wrong
	ERROR_NOT_FOUND,      // the named thing does not exist
	ERROR_EXISTS,         // the named thing exists already
	ERROR_BUSY,           // in use by somebody else
	ERROR_CORRUPT,        // stored or foreign bytes contradict themselves (digest, format)
	ERROR_UNSUPPORTED,    // this kernel, build or version can't
	ERROR_LIMIT,          // a bound of ours was reached
	ERROR_NOT_EXECUTABLE, // the program to start was found but can't be executed (126)
	ERROR_NO_PROGRAM,     // the program to start was not found (127)
	ERROR_CODES
};

struct error {
	enum error_code code;
	int sys;       // errno, or 0
	char *message; // lower case, no full stop, names the thing
	char *hint;    // names the next command; NULL if there is none
};

#define fallible __attribute__((warn_unused_result)) struct error *

// Makes an error. Never returns NULL; the caller owns it.
struct error *error_new(enum error_code code, const char *format, ...) PRINTF(2, 3);
// Makes an ERROR_SYSTEM whose message is "<format>: <strerror(sys)>". `sys` is an errno that the
// caller saved: use FAIL_ERRNO, since evaluating the arguments may change errno.
struct error *error_system(int sys, const char *format, ...) PRINTF(2, 3);
// Puts "<format>: " before the message; takes and returns `e` (NULL stays NULL).
struct error *error_prefix(struct error *e, const char *format, ...) PRINTF(2, 3);
// Sets the hint unless there is one; takes and returns `e` (NULL stays NULL).
struct error *error_hint(struct error *e, const char *format, ...) PRINTF(2, 3);
// Adds a second failure to the first, as "<first>; <second>": for clean-up that fails too.
// Takes both, either may be NULL; returns what is left, NULL if both were.
struct error *error_join(struct error *first, struct error *second);
// Sets the code; takes and returns `e` (NULL stays NULL).
struct error *error_recode(struct error *e, enum error_code code);
// Sets .sys, to be branched on, not told; takes and returns `e` (NULL stays NULL).
struct error *error_because(struct error *e, int sys);
bool error_is(const struct error *e, enum error_code code); // false for NULL
void error_free(struct error *e);                           // takes NULL
// Frees *e and sets it to NULL: the error is understood and dealt with. Say why at the call.
void error_drop(struct error **e);

#define TRY(call)                          \
	do {                               \
		struct error *e_ = (call); \
		if (e_)                    \
			return e_;         \
	} while (0)

// …with one prefix that names the object.
#define TRY_AS(call, ...)                                     \
	do {                                                  \
		struct error *e_ = (call);                    \
		if (e_)                                       \
			return error_prefix(e_, __VA_ARGS__); \
	} while (0)

// errno first: gcc evaluates arguments from the right, and any of them may change it.
#define FAIL_ERRNO(...)                                 \
	do {                                            \
		int sys_ = errno;                       \
		return error_system(sys_, __VA_ARGS__); \
	} while (0)

static inline void error_cleanup_(struct error **e)
{
	error_free(*e);
}
#define auto_error defer(error_cleanup_)

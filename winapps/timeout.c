// SPDX-License-Identifier: Apache-2.0
// timeout: waits, counting down. Windows' own refuses input that is no console even with /nobreak;
// this one then waits all the same: no key would end it anyhow.
#include "program.h"

static const char help[] = "\nTIMEOUT [/T] timeout [/NOBREAK]\n\n"
			   "    /T timeout   seconds to wait, -1 to 99999; -1 is for ever\n"
			   "    /NOBREAK     no key ends it\n";

static __attribute__((noreturn)) void fail(const char *message)
{
	complain("ERROR: %s\n", message);
	ExitProcess(1);
}

static void parse(int argc, wchar_t **argv, long *ret_seconds, bool *ret_nobreak)
{
	const wchar_t *value = NULL;
	for (int i = 1; i < argc; i++) {
		const wchar_t *a = argv[i];
		if (is_switch(a, L"?") && !a[2]) {
			say("%s", help);
			flush();
			ExitProcess(0);
		}
		if (is_switch(a, L"nobreak") && !a[8]) {
			*ret_nobreak = true;
			continue;
		}
		if (is_switch(a, L"t") && !a[2]) {
			if (++i == argc)
				fail("Invalid syntax. Value expected for '/t'.\n"
				     "Type \"TIMEOUT /?\" for usage.");
			a = argv[i];
		} else if (*a == '/') {
			char *name = narrow(a);
			complain("ERROR: Invalid argument/option - '%.1000s'.\n"
			         "Type \"TIMEOUT /?\" for usage.\n",
			         name);
			ExitProcess(1);
		}
		if (value)
			fail("Invalid syntax. Default option is not allowed more than '1' time(s).\n"
			     "Type \"TIMEOUT /?\" for usage.");
		value = a;
	}
	if (!value)
		fail("Invalid syntax. Mandatory parameter timeout value not specified.\n"
		     "Type \"TIMEOUT /?\" for usage.");
	if (!to_number(value, -1, 99999, ret_seconds))
		fail("Invalid value for timeout specified. Valid range is -1 to 99999 seconds.");
}

static void drop_keys(HANDLE keys)
{
	FlushConsoleInputBuffer(keys);
}

// Until `ms` are over or, unless keys are ignored, one was pressed.
static bool key_within(HANDLE keys, DWORD ms)
{
	INPUT_RECORD record;
	DWORD n, begun = GetTickCount(), passed = 0;
	while (passed <= ms && !WaitForSingleObject(keys, ms == INFINITE ? ms : ms - passed)) {
		if (!ReadConsoleInputW(keys, &record, 1, &n) || !n)
			return true;
		if (record.EventType == KEY_EVENT && record.Event.KeyEvent.bKeyDown)
			return true;
		passed = ms == INFINITE ? 0 : GetTickCount() - begun;
	}
	return false;
}

static int digits(long value)
{
	int n = 1;
	while (value >= 10)
		value /= 10, n++;
	return n;
}

static void count_down(long seconds, bool nobreak, HANDLE keys)
{
	const char *tail = nobreak ? " seconds, press CTRL+C to quit ..."
	                           : " seconds, press a key to continue ...";
	int width = digits(seconds);
	say("\nWaiting for %*ld%s", width, seconds, tail);
	for (size_t back = strlen(tail); seconds > 0; back = 0) {
		flush();
		if (nobreak)
			Sleep(1000);
		else if (key_within(keys, 1000))
			break;
		seconds--;
		for (size_t i = 0; i < back + (size_t)width; i++)
			put("\b", 1);
		say("%*ld", width, seconds);
	}
	say("\n");
	flush();
}

int wmain(int argc, wchar_t **argv)
{
	long seconds = 0;
	bool nobreak = false;
	DWORD mode;
	HANDLE keys = GetStdHandle(STD_INPUT_HANDLE);
	parse(argc, argv, &seconds, &nobreak);
	if (!nobreak && !GetConsoleMode(keys, &mode))
		fail("Input redirection is not supported, exiting the process immediately.");
	if (!nobreak)
		drop_keys(keys);
	if (seconds >= 0) {
		count_down(seconds, nobreak, keys);
		return 0;
	}
	say(nobreak ? "\nWaiting forever, press CTRL+C to quit ..."
	            : "\nPress any key to continue ...");
	flush();
	if (nobreak)
		Sleep(INFINITE);
	key_within(keys, INFINITE);
	say("\n");
	flush();
	return 0;
}

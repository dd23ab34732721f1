// SPDX-License-Identifier: Apache-2.0
// tracert: the routers on the way, by echo requests whose time to live grows. IPv4. Answers of
// routers come to raw sockets alone: for a user without the right to them only the target answers.
#include <winsock2.h>
#include <ws2tcpip.h>
//
#include "icmp.h"
#include "program.h"

static struct {
	bool no_names;
	long hops, timeout_ms;
	const wchar_t *host;
} o = {.hops = 30, .timeout_ms = 4000};

struct target {
	struct sockaddr_in address;
	char shown[INET_ADDRSTRLEN], name[NI_MAXHOST];
};

struct answer {
	int type; // of ICMP; -1: none came, -2: nothing could be sent
	double took_ms;
	struct in_addr from;
};

static struct answer ask(SOCKET s, const struct target *target, int hops, unsigned sequence)
{
	static unsigned char packet[65536];
	struct answer answer = {.type = -1};
	unsigned id = GetCurrentProcessId() & 0xffff;
	size_t size = icmp_make_request(packet, id, sequence, 64);
	setsockopt(s, IPPROTO_IP, IP_TTL, (const char *)&hops, sizeof(hops));
	if (sendto(s, (const char *)packet, (int)size, 0, (const struct sockaddr *)&target->address,
	           sizeof(target->address)) < 0) {
		answer.type = -2;
		return answer;
	}
	double sent = icmp_now_ms();
	for (;;) {
		double left = sent + (double)o.timeout_ms - icmp_now_ms();
		DWORD wait = left < 1 ? 1 : (DWORD)left;
		setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, (const char *)&wait, sizeof(wait));
		int n = recv(s, (char *)packet, sizeof(packet), 0);
		answer.took_ms = icmp_now_ms() - sent;
		if (n >= ICMP_IP_HEADER + ICMP_HEADER &&
		    icmp_is_answer(packet, (size_t)n, id, sequence)) {
			answer.type = packet[(packet[0] & 15) * 4];
			memcpy(&answer.from, packet + 12, 4);
			return answer;
		}
		if (answer.took_ms >= (double)o.timeout_ms ||
		    (n < 0 && WSAGetLastError() != WSAEMSGSIZE))
			return answer;
	}
}

static void show_address(struct in_addr from)
{
	char shown[INET_ADDRSTRLEN], name[NI_MAXHOST];
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = from};
	inet_ntop(AF_INET, &from, shown, sizeof(shown));
	if (!o.no_names && !getnameinfo((const struct sockaddr *)&address, sizeof(address), name,
	                                sizeof(name), NULL, 0, NI_NAMEREQD))
		say("%.255s [%s]", name, shown);
	else
		say("%s", shown);
}

// One line; true at the end of the way.
static bool try_hop(SOCKET s, const struct target *target, int hop)
{
	struct answer last = {.type = -1};
	say("%3d", hop);
	for (unsigned i = 0; i < 3; i++) {
		struct answer answer = ask(s, target, hop, (unsigned)hop * 3 + i);
		if (answer.type == -2) {
			say("  General failure.\n");
			return true;
		}
		if (answer.type < 0)
			say("     *   ");
		else if (answer.took_ms < 1)
			say("    <1 ms");
		else
			say("%6u ms", (unsigned)answer.took_ms);
		flush();
		if (answer.type >= 0)
			last = answer;
	}
	say("  ");
	if (last.type < 0) {
		say("Request timed out.\n");
	} else {
		show_address(last.from);
		say(last.type == ICMP_UNREACHABLE ? "  reports: Destination host unreachable.\n"
		                                  : " \n");
	}
	flush();
	return last.type == ICMP_ECHO_REPLY || last.type == ICMP_UNREACHABLE;
}

static bool resolve(struct target *ret)
{
	ADDRINFOW hints = {.ai_family = AF_INET}, *found;
	if (GetAddrInfoW(o.host, NULL, &hints, &found))
		return false;
	memcpy(&ret->address, found->ai_addr, sizeof(ret->address));
	FreeAddrInfoW(found);
	inet_ntop(AF_INET, &ret->address.sin_addr, ret->shown, sizeof(ret->shown));
	char *typed = narrow(o.host);
	if (strcmp(typed, ret->shown) != 0)
		snprintf(ret->name, sizeof(ret->name), "%.1000s", typed);
	else if (!o.no_names)
		getnameinfo((const struct sockaddr *)&ret->address, sizeof(ret->address), ret->name,
		            sizeof(ret->name), NULL, 0, NI_NAMEREQD); // none: stays ""
	free(typed);
	return true;
}

static void usage(void)
{
	say("\nUsage: tracert [-d] [-h maximum_hops] [-w timeout] [-4] target_name\n\n"
	    "    -d                 no names of the routers\n"
	    "    -h maximum_hops    at most so many (30)\n"
	    "    -w timeout         milliseconds to wait for each answer (4000)\n"
	    "    -4                 IPv4, which is all there is\n");
	flush();
}

static bool parse(int argc, wchar_t **argv)
{
	for (int i = 1; i < argc; i++) {
		const wchar_t *a = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;
		bool takes = is_switch(a, L"h") || is_switch(a, L"w");
		if (*a != '-' && *a != '/') {
			if (o.host)
				return false;
			o.host = a;
		} else if (is_switch(a, L"d")) {
			o.no_names = true;
		} else if (takes) {
			if (!value ||
			    !(is_switch(a, L"h") ? to_number(value, 1, 255, &o.hops)
			                         : to_number(value, 0, INT_MAX, &o.timeout_ms))) {
				say("Bad value for option %s.\n", is_switch(a, L"h") ? "-h" : "-w");
				return false;
			}
			i++;
		} else if (!is_switch(a, L"4") && !is_switch(a, L"?")) {
			char *name = narrow(a);
			say("%.255s is not a valid command option.\n", name);
			return false;
		}
	}
	return o.host != NULL;
}

int wmain(int argc, wchar_t **argv)
{
	WSADATA data;
	struct target target = {0};
	if (!parse(argc, argv)) {
		usage();
		return 1;
	}
	if (WSAStartup(MAKEWORD(2, 2), &data) || !resolve(&target)) {
		char *name = narrow(o.host);
		say("Unable to resolve target system name %.255s.\n", name);
		flush();
		return 1;
	}
	SOCKET s = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
	if (s == INVALID_SOCKET) {
		say("Unable to contact IP driver. General failure.\n");
		flush();
		return 1;
	}
	if (*target.name)
		say("\nTracing route to %.255s [%s]\nover a maximum of %ld hops:\n\n", target.name,
		    target.shown, o.hops);
	else
		say("\nTracing route to %s over a maximum of %ld hops\n\n", target.shown, o.hops);
	flush();
	for (int hop = 1; hop <= o.hops && !try_hop(s, &target, hop); hop++)
		;
	say("\nTrace complete.\n");
	flush();
	return 0;
}

// SPDX-License-Identifier: Apache-2.0
// nslookup: asks a DNS server itself, whatever the hosts file says.
#include <winsock2.h>
#include <ws2tcpip.h>
//
#include "dns.h"
#include "program.h"

static const struct {
	const char *name;
	int type;
} types[] = {
	{"A", A},   {"NS", NS},   {"CNAME", CNAME}, {"SOA", SOA}, {"PTR", PTR},
	{"MX", MX}, {"TXT", TXT}, {"AAAA", AAAA},   {"SRV", SRV}, {"ANY", ANY},
};

static struct {
	int type;             // 0: A and AAAA
	char domains[4][256]; // of resolv.conf
	size_t n_domains;
	char server_name[256], server_shown[INET_ADDRSTRLEN];
} o;

// --- showing

// Addresses of the answer to the list, the canonical name to `ret_name`.
static void collect(const struct message *m, char ret_name[NAME_MAX_TEXT], char list[][48],
                    size_t *n)
{
	size_t at;
	unsigned records;
	struct record r;
	if (!first_record(m, &at, &records))
		return;
	while (records-- && *n < 64 && read_record(m, &at, &r)) {
		int family = r.type == A && r.size == 4       ? AF_INET
		             : r.type == AAAA && r.size == 16 ? AF_INET6
		                                              : 0;
		if (!family)
			continue;
		inet_ntop(family, m->bytes + r.at, list[(*n)++], 48);
		strcpy(ret_name, r.name);
	}
}

static void show_text(const struct message *m, const struct record *r)
{
	say("%s\ttext =\n\n", r->name);
	for (size_t at = 0; at < r->size;) {
		size_t size = m->bytes[r->at + at++];
		size = min(size, r->size - at);
		say("\t\"%.*s\"\n", (int)size, (const char *)m->bytes + r->at + at);
		at += size;
	}
}

static void show_authority(const struct message *m, const struct record *r, const char *primary,
                           size_t at)
{
	static const char *const labels[] = {"serial ", "refresh", "retry  ", "expire ",
	                                     "default TTL"};
	char mail[NAME_MAX_TEXT];
	say("%s\n\tprimary name server = %s\n", r->name, primary);
	if (!read_name(m, &at, mail) || at + 20 > m->size)
		return;
	say("\tresponsible mail addr = %s\n", mail);
	for (size_t i = 0; i < 5; i++, at += 4)
		say("\t%s = %u\n", labels[i],
		    get16(m->bytes + at) << 16 | get16(m->bytes + at + 2));
}

static void show_record(const struct message *m, const struct record *r)
{
	char shown[48], name[NAME_MAX_TEXT] = "";
	size_t skip = r->type == MX ? 2 : r->type == SRV ? 6 : 0, at = r->at + skip;
	const unsigned char *c = m->bytes + r->at;
	bool named = r->size > skip && read_name(m, &at, name);
	if (r->type == A && r->size == 4)
		say("%s\tinternet address = %s\n", r->name,
		    inet_ntop(AF_INET, c, shown, sizeof(shown)));
	else if (r->type == AAAA && r->size == 16)
		say("%s\tAAAA IPv6 address = %s\n", r->name,
		    inet_ntop(AF_INET6, c, shown, sizeof(shown)));
	else if (r->type == TXT)
		show_text(m, r);
	else if (!named)
		return;
	else if (r->type == NS)
		say("%s\tnameserver = %s\n", r->name, name);
	else if (r->type == CNAME)
		say("%s\tcanonical name = %s\n", r->name, name);
	else if (r->type == PTR)
		say("%s\tname = %s\n", r->name, name);
	else if (r->type == MX)
		say("%s\tMX preference = %u, mail exchanger = %s\n", r->name, get16(c), name);
	else if (r->type == SRV)
		say("%s\tSRV service location:\n\t  priority       = %u\n\t  weight         = %u\n"
		    "\t  port           = %u\n\t  svr hostname   = %s\n",
		    r->name, get16(c), get16(c + 2), get16(c + 4), name);
	else if (r->type == SOA)
		show_authority(m, r, name, at);
}

static void show_server(void)
{
	say("Server:  %s\nAddress:  %s\n\n", o.server_name, o.server_shown);
}

static void show_failure(const char *name, int code)
{
	static const char *const reasons[] = {
		"No answer",           "Format error",    "Server failed",
		"Non-existent domain", "Not implemented", "Query refused",
	};
	if (code == NO_ANSWER)
		complain("*** Request to %s timed-out\n", o.server_name);
	else
		complain("*** %s can't find %.255s: %s\n", o.server_name, name,
		         code < 6 ? reasons[code] : "Unspecified error");
}

static void note_authority(const struct message *m)
{
	if (!(m->bytes[2] & 4))
		complain("Non-authoritative answer:\n");
}

// --- one question

static bool reverse_name(const char *text, char ret[NAME_MAX_TEXT])
{
	unsigned char b[16];
	if (inet_pton(AF_INET, text, b) == 1) {
		snprintf(ret, NAME_MAX_TEXT, "%u.%u.%u.%u.in-addr.arpa", b[3], b[2], b[1], b[0]);
		return true;
	}
	if (inet_pton(AF_INET6, text, b) != 1)
		return false;
	size_t n = 0;
	for (int i = 15; i >= 0; i--)
		n += (size_t)snprintf(ret + n, 5, "%x.%x.", b[i] & 15, b[i] >> 4);
	strcpy(ret + n, "ip6.arpa");
	return true;
}

static int ask_pointer(const char *address, char ret[NAME_MAX_TEXT])
{
	static struct message answer;
	char question[NAME_MAX_TEXT];
	size_t at;
	unsigned n;
	struct record r;
	reverse_name(address, question);
	int code = ask(question, PTR, &answer);
	if (code || !first_record(&answer, &at, &n))
		return code ? code : NXDOMAIN;
	while (n-- && read_record(&answer, &at, &r)) {
		size_t from = r.at;
		if (r.type == PTR && read_name(&answer, &from, ret))
			return 0;
	}
	return NXDOMAIN;
}

static int show_addresses(const char *name)
{
	static struct message four, six;
	char list[64][48], canonical[NAME_MAX_TEXT] = "";
	size_t n = 0;
	int code = ask(name, A, &four);
	if (code)
		return code;
	bool has_six = !ask(name, AAAA, &six);
	if (has_six)
		collect(&six, canonical, list, &n);
	collect(&four, canonical, list, &n);
	note_authority(&four);
	say("Name:    %s\n", *canonical ? canonical : name);
	if (n)
		say("%s", n > 1 ? "Addresses:  " : "Address:  ");
	for (size_t i = 0; i < n; i++)
		say("%s%s\n", i ? "          " : "", list[i]);
	if (strcmp(canonical, name) != 0 && *canonical)
		say("Aliases:  %s\n", name);
	say("\n");
	flush();
	return 0;
}

static int show_records(const char *name)
{
	static struct message answer;
	struct record r;
	size_t at;
	unsigned n;
	int code = ask(name, o.type, &answer);
	if (code)
		return code;
	note_authority(&answer);
	if (!first_record(&answer, &at, &n) || !n) {
		complain("*** No records of the type asked for: %.255s\n", name);
		return 0;
	}
	while (n-- && read_record(&answer, &at, &r))
		show_record(&answer, &r);
	say("\n");
	flush();
	return 0;
}

// A name without a dot is looked for in the domains of the network first, any other one afterwards.
static void look_up(const char *name)
{
	char pointer[NAME_MAX_TEXT], tried[NAME_MAX_TEXT];
	show_server();
	size_t size = strlen(name);
	if (reverse_name(name, pointer) && !o.type) {
		int code = ask_pointer(name, pointer);
		if (code)
			show_failure(name, code);
		else
			say("Name:    %s\nAddress:  %s\n\n", pointer, name);
		return;
	}
	if (!size || size > 253) {
		show_failure(name, NXDOMAIN);
		return;
	}
	bool whole = name[size - 1] == '.', bare_first = whole || strchr(name, '.');
	int code = NXDOMAIN;
	for (size_t i = 0; i <= o.n_domains && code; i++) {
		size_t domain = bare_first ? i - 1 : i;
		bool bare = bare_first ? !i : i == o.n_domains;
		if (whole && !bare)
			break;
		snprintf(tried, sizeof(tried), bare ? "%s" : "%s.%s", name,
		         bare ? "" : o.domains[domain]);
		code = o.type ? show_records(tried) : show_addresses(tried);
		if (code == NO_ANSWER)
			break;
	}
	if (code)
		show_failure(name, code);
}

// --- which server

static void read_resolv_conf(char ret_server[64])
{
	struct bytes text, line;
	HANDLE file = open_input(L"\\\\?\\unix"
	                         L"\\etc\\resolv.conf");
	strcpy(ret_server, "127.0.0.1");
	if (file == INVALID_HANDLE_VALUE || !read_all(file, &text))
		return;
	CloseHandle(file);
	bool has_server = false;
	while (next_line(&text, &line)) {
		char words[512], *save = NULL;
		snprintf(words, sizeof(words), "%.*s", (int)min(line.size, (size_t)511), line.at);
		const char *key = strtok_s(words, " \t", &save), *word;
		bool domains = key && (!strcmp(key, "search") || !strcmp(key, "domain"));
		if (!key || (!domains && strcmp(key, "nameserver") != 0))
			continue;
		while ((word = strtok_s(NULL, " \t", &save))) {
			struct in_addr four;
			if (domains && o.n_domains < 4)
				snprintf(o.domains[o.n_domains++], 256, "%s", word);
			else if (!domains && !has_server && inet_pton(AF_INET, word, &four) == 1) {
				snprintf(ret_server, 64, "%s", word);
				has_server = true;
			}
		}
	}
}

// `server`: an address or a name.
static bool choose_server(const char *server)
{
	struct addrinfo hints = {.ai_family = AF_INET}, *found;
	char name[NAME_MAX_TEXT];
	if (getaddrinfo(server, NULL, &hints, &found)) {
		complain("*** Can't find address for server %.255s: Non-existent domain\n", server);
		return false;
	}
	memcpy(&dns.server, found->ai_addr, sizeof(dns.server));
	freeaddrinfo(found);
	dns.server.sin_port = htons(53);
	inet_ntop(AF_INET, &dns.server.sin_addr, o.server_shown, sizeof(o.server_shown));
	if (strcmp(server, o.server_shown) != 0)
		snprintf(o.server_name, sizeof(o.server_name), "%.255s", server);
	else if (ask_pointer(o.server_shown, name))
		strcpy(o.server_name, "UnKnown");
	else
		snprintf(o.server_name, sizeof(o.server_name), "%.255s", name);
	return true;
}

// --- command line and dialogue

static bool set_option(const char *text)
{
	const char *value = strchr(text, '=');
	size_t n = value ? (size_t)(value - text) : strlen(text);
	if (value && (!_strnicmp(text, "type", n) || !_strnicmp(text, "querytype", n) ||
	              !_strnicmp(text, "q", n))) {
		for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
			if (!_stricmp(types[i].name, value + 1)) {
				o.type = types[i].type;
				return true;
			}
		complain("unknown query type: %.255s\n", value + 1);
		return true;
	}
	if (value && !_strnicmp(text, "timeout", n)) {
		dns.timeout_s = strtol(value + 1, NULL, 10);
		dns.timeout_s = dns.timeout_s < 1 ? 1 : dns.timeout_s > 3600 ? 3600 : dns.timeout_s;
		return true;
	}
	if (value && !_strnicmp(text, "retry", n)) {
		dns.retries = strtol(value + 1, NULL, 10);
		dns.retries = dns.retries < 0 ? 0 : dns.retries > 100 ? 100 : dns.retries;
		return true;
	}
	static const char *const without_effect[] = {"debug",   "nodebug",   "d2",     "nod2",
	                                             "recurse", "norecurse", "search", "nosearch",
	                                             "vc",      "novc",      "all"};
	for (size_t i = 0; i < sizeof(without_effect) / sizeof(*without_effect); i++)
		if (!_stricmp(text, without_effect[i]))
			return true;
	return false;
}

static void talk(void)
{
	char line[1024], *save;
	say("Default Server:  %s\nAddress:  %s\n\n", o.server_name, o.server_shown);
	for (;;) {
		say("> ");
		flush();
		if (!fgets(line, sizeof(line), stdin))
			break;
		save = NULL;
		const char *word = strtok_s(line, " \t\r\n", &save),
			   *next = strtok_s(NULL, " \t\r\n", &save);
		if (!word)
			continue;
		if (!_stricmp(word, "exit"))
			break;
		if (!_stricmp(word, "server") && next) {
			if (choose_server(next))
				say("Default Server:  %s\nAddress:  %s\n\n", o.server_name,
				    o.server_shown);
		} else if (!_stricmp(word, "set") && next) {
			if (!set_option(next))
				complain("*** Invalid option: %.255s\n", next);
		} else {
			look_up(word);
		}
	}
	say("\n");
	flush();
}

int main(int argc, char **argv)
{
	const char *name = NULL, *server = NULL;
	char configured[64];
	WSADATA data;
	for (int i = 1; i < argc; i++) {
		if (*argv[i] == '-' && argv[i][1] && set_option(argv[i] + 1))
			continue;
		if (*argv[i] == '-' && argv[i][1]) {
			complain("*** Invalid option: %.255s\n", argv[i] + 1);
			return 1;
		}
		if (!name)
			name = argv[i];
		else
			server = argv[i];
	}
	int error = WSAStartup(MAKEWORD(2, 2), &data);
	if (error) {
		complain("*** The network can't be used: error %d\n", error);
		return 1;
	}
	read_resolv_conf(configured);
	if (!choose_server(server ? server : configured))
		return 1;
	if (name && strcmp(name, "-") != 0)
		look_up(name);
	else
		talk();
	flush();
	return 0;
}

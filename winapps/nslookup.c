// SPDX-License-Identifier: Apache-2.0
// nslookup: asks a DNS server itself (RFC 1035), whatever the hosts file says. What a server
// answers is hostile: names are read with bounds and a limit on pointers.
#include <winsock2.h>
#include <ws2tcpip.h>
//
#include "program.h"

enum {
	A = 1,
	NS = 2,
	CNAME = 5,
	SOA = 6,
	PTR = 12,
	MX = 15,
	TXT = 16,
	AAAA = 28,
	SRV = 33,
	ANY = 255
};
enum { HEADER = 12, NAME_MAX_TEXT = 1024, MESSAGE_MAX = 65535 };
enum { NO_ANSWER = -1, NXDOMAIN = 3 };

static const struct {
	const char *name;
	int type;
} types[] = {
	{"A", A},   {"NS", NS},   {"CNAME", CNAME}, {"SOA", SOA}, {"PTR", PTR},
	{"MX", MX}, {"TXT", TXT}, {"AAAA", AAAA},   {"SRV", SRV}, {"ANY", ANY},
};

static struct {
	int type; // 0: A and AAAA
	long timeout_s, retries;
	char domains[4][256]; // of resolv.conf
	size_t n_domains;
	struct sockaddr_in server;
	char server_name[256], server_shown[INET_ADDRSTRLEN];
} o = {.timeout_s = 2, .retries = 1};

struct message {
	unsigned char bytes[MESSAGE_MAX];
	size_t size;
};

static unsigned get16(const unsigned char *at)
{
	return (unsigned)(at[0] << 8 | at[1]);
}

// --- asking

static bool put_name(struct message *m, const char *name)
{
	for (const char *c = name; *c;) {
		size_t n = strcspn(c, ".");
		if (!n || n > 63 || m->size + n + 2 > 512)
			return false;
		m->bytes[m->size++] = (unsigned char)n;
		memcpy(m->bytes + m->size, c, n);
		m->size += n;
		c += n + (c[n] != 0);
	}
	m->bytes[m->size++] = 0;
	return true;
}

static bool make_query(struct message *m, const char *name, int type)
{
	static unsigned id;
	id = id ? id + 1 : GetTickCount() ^ GetCurrentProcessId() << 4;
	const unsigned char head[HEADER] = {
		(unsigned char)(id >> 8), (unsigned char)id, 1, 0, 0, 1};
	memcpy(m->bytes, head, HEADER);
	m->size = HEADER;
	if (!put_name(m, name))
		return false;
	const unsigned char tail[4] = {0, (unsigned char)type, 0, 1};
	memcpy(m->bytes + m->size, tail, 4);
	m->size += 4;
	return true;
}

static bool answers(const struct message *query, const struct message *answer)
{
	return answer->size >= query->size && answer->bytes[2] & 0x80 &&
	       !memcmp(query->bytes, answer->bytes, 2) &&
	       !memcmp(query->bytes + HEADER, answer->bytes + HEADER, query->size - HEADER);
}

static bool receive(SOCKET s, const struct message *query, struct message *answer)
{
	for (int strays = 0; strays < 64; strays++) {
		int n = recv(s, (char *)answer->bytes, sizeof(answer->bytes), 0);
		if (n < 0)
			return false;
		answer->size = (size_t)n;
		if (answers(query, answer))
			return true;
	}
	return false;
}

static SOCKET connect_to_server(int kind)
{
	SOCKET s = socket(AF_INET, kind, 0);
	DWORD wait = (DWORD)o.timeout_s * 1000;
	setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, (const char *)&wait, sizeof(wait));
	if (s != INVALID_SOCKET &&
	    connect(s, (const struct sockaddr *)&o.server, sizeof(o.server)) < 0) {
		closesocket(s);
		return INVALID_SOCKET;
	}
	return s;
}

static bool receive_exactly(SOCKET s, unsigned char *to, size_t size)
{
	while (size) {
		int n = recv(s, (char *)to, (int)size, 0);
		if (n <= 0)
			return false;
		to += n;
		size -= (size_t)n;
	}
	return true;
}

// What doesn't fit into a datagram.
static bool ask_stream(const struct message *query, struct message *answer)
{
	unsigned char size[2] = {(unsigned char)(query->size >> 8), (unsigned char)query->size};
	SOCKET s = connect_to_server(SOCK_STREAM);
	if (s == INVALID_SOCKET)
		return false;
	bool ok = send(s, (const char *)size, 2, 0) == 2 &&
	          send(s, (const char *)query->bytes, (int)query->size, 0) == (int)query->size &&
	          receive_exactly(s, size, 2);
	answer->size = ok ? get16(size) : 0;
	ok = ok && receive_exactly(s, answer->bytes, answer->size) && answers(query, answer);
	closesocket(s);
	return ok;
}

// NO_ANSWER or the server's code.
static int ask(const char *name, int type, struct message *answer)
{
	static struct message query;
	bool ok = false;
	if (!make_query(&query, name, type))
		return NXDOMAIN;
	for (long i = 0; i <= o.retries && !ok; i++) {
		SOCKET s = connect_to_server(SOCK_DGRAM);
		ok = s != INVALID_SOCKET &&
		     send(s, (const char *)query.bytes, (int)query.size, 0) >= 0 &&
		     receive(s, &query, answer);
		if (!ok && s != INVALID_SOCKET && WSAGetLastError() == WSAETIMEDOUT)
			say("DNS request timed out.\n    timeout was %ld seconds.\n", o.timeout_s);
		else if (!ok)
			i = o.retries; // nobody listens there: waiting doesn't help
		if (s != INVALID_SOCKET)
			closesocket(s);
		flush();
	}
	if (ok && answer->bytes[2] & 2)
		ok = ask_stream(&query, answer);
	return ok ? answer->bytes[3] & 15 : NO_ANSWER;
}

// --- reading

// Moves *at behind the name; false: it isn't one.
static bool read_name(const struct message *m, size_t *at, char ret[NAME_MAX_TEXT])
{
	size_t from = *at, n = 0;
	bool jumped = false;
	for (int steps = 0; steps < 128; steps++) {
		if (from >= m->size)
			return false;
		size_t size = m->bytes[from];
		if (size >= 0xc0) {
			if (from + 2 > m->size)
				return false;
			if (!jumped)
				*at = from + 2;
			jumped = true;
			from = get16(m->bytes + from) & 0x3fff;
			continue;
		}
		from++;
		if (!size) {
			if (!jumped)
				*at = from;
			ret[n ? n - 1 : 0] = 0;
			return true;
		}
		if (size > 63 || from + size > m->size || n + size + 2 > 256)
			return false;
		for (size_t i = 0; i < size; i++) {
			unsigned char c = m->bytes[from + i];
			ret[n++] = c > ' ' && c < 127 ? (char)c : '?';
		}
		ret[n++] = '.';
		from += size;
	}
	return false;
}

struct record {
	char name[NAME_MAX_TEXT];
	unsigned type, ttl;
	size_t at, size; // of its data
};

static bool read_record(const struct message *m, size_t *at, struct record *ret)
{
	if (!read_name(m, at, ret->name) || *at + 10 > m->size)
		return false;
	const unsigned char *c = m->bytes + *at;
	ret->type = get16(c);
	ret->ttl = get16(c + 4) << 16 | get16(c + 6);
	ret->size = get16(c + 8);
	ret->at = *at + 10;
	*at = ret->at + ret->size;
	return *at <= m->size;
}

static bool first_record(const struct message *m, size_t *ret_at, unsigned *ret_n)
{
	char name[NAME_MAX_TEXT];
	*ret_at = HEADER;
	*ret_n = get16(m->bytes + 6);
	if (get16(m->bytes + 4) != 1 || !read_name(m, ret_at, name))
		return false;
	*ret_at += 4;
	return *ret_at <= m->size;
}

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
	memcpy(&o.server, found->ai_addr, sizeof(o.server));
	freeaddrinfo(found);
	o.server.sin_port = htons(53);
	inet_ntop(AF_INET, &o.server.sin_addr, o.server_shown, sizeof(o.server_shown));
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
		o.timeout_s = strtol(value + 1, NULL, 10);
		o.timeout_s = o.timeout_s < 1 ? 1 : o.timeout_s > 3600 ? 3600 : o.timeout_s;
		return true;
	}
	if (value && !_strnicmp(text, "retry", n)) {
		o.retries = strtol(value + 1, NULL, 10);
		o.retries = o.retries < 0 ? 0 : o.retries > 100 ? 100 : o.retries;
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
	if (WSAStartup(MAKEWORD(2, 2), &data))
		return 1;
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
